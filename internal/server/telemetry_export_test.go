package server

import (
	"context"
	"net/http"
	"time"
)

// FlushTraces sends the traces that wait.
func (srv *Server) FlushTraces(ctx context.Context) { _ = srv.telemetry.tracer.Flush(ctx) }

// Counted returns a request as it is when it is counted.
func Counted(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), exchangeKey{}, &exchange{caller: &caller{}}))
}

// Count counts a request that Counted returns.
func (srv *Server) Count(r *http.Request) {
	end := srv.telemetry.metrics.Begin()
	srv.count(&finished{Request: r, Path: r.URL.Path, Kind: "scim", Operation: "get", Type: "User", Client: "okta", Status: 200, Took: time.Millisecond})
	end()
}
