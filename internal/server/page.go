package server

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"slices"
	"strings"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

func (srv *Server) renderPage() ([]byte, error) {
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	page := struct {
		Facade, Glass  bool
		Base, Mount    string // Base is "" where it depends on the request's host
		Links, Version string
		Style          template.CSS
	}{srv.s.PactFlow != nil, srv.s.LookingGlass, srv.base, srv.s.Mount, srv.base, Version(), template.CSS(pageStyle)} //nolint:gosec // our own file
	if page.Facade && srv.s.BaseURL == "" {
		page.Base, page.Links = "", srv.s.Mount
	}
	err = t.Execute(&b, page)
	return b.Bytes(), err
}

// isPage reports whether a cleaned path is that of the page for people. Where
// SCIM is mounted at the root, it is so only for who asks for HTML.
func (srv *Server) isPage(r *http.Request, path string) bool {
	return path == "/" && (!slices.Contains(srv.where.mounts, "") || strings.Contains(r.Header.Get("Accept"), "text/html"))
}

func (srv *Server) servePage(w http.ResponseWriter, r *http.Request) {
	if !readOnly(w, r) {
		return
	}
	style := sha256.Sum256([]byte(pageStyle))
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(style[:])+
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache")
	_, _ = w.Write(srv.page) // the client is gone: nobody is left to tell
}
