package console

import "net/http"

// routes lists the pages; each file adds its own.
func (c *Console) routes(mux *http.ServeMux) {
	for _, add := range []func(*http.ServeMux){
		c.assetRoutes,
		c.sessionRoutes,
		c.signInRoutes,
		c.liveRoutes,
		c.directoryRoutes,
		c.flowsRoutes,
		c.tryitRoutes,
		c.peopleRoutes,
		c.missingRoutes,
		c.tenantRoutes,
		c.connectionRoutes,
		c.auditRoutes,
		c.credentialRoutes,
		c.breakerRoutes,
	} {
		add(mux)
	}
	mux.HandleFunc(Path+"/", func(w http.ResponseWriter, r *http.Request) {
		c.fail(w, r, http.StatusNotFound, "There is no such page", "Follow one of the links above.")
	})
}
