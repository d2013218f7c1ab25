package console

import "net/http"

// routes lists the pages; each file adds its own.
func (c *Console) routes(mux *http.ServeMux) {
	for _, add := range []func(*http.ServeMux){} {
		add(mux)
	}
}
