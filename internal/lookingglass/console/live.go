package console

import "net/http"

// maxStreams bounds the event streams that are open at once.
const maxStreams = 100

func (c *Console) liveRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET "+Path, c.live)
}

// live shows the newest exchanges.
func (c *Console) live(w http.ResponseWriter, r *http.Request) {
	c.render(w, r, http.StatusOK, "live.html", nil)
}
