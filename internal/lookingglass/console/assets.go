package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed assets/*.css assets/*.js assets/*.svg assets/vendor/*.js
var assetFiles embed.FS

// assets are the static files by name, and stamp a digest of them all: it is in
// their addresses, so that browsers may keep them for ever.
var assets, stamp = readAssets()

func readAssets() (map[string][]byte, string) {
	files, sum := map[string][]byte{}, sha256.New()
	err := fs.WalkDir(assetFiles, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := assetFiles.ReadFile(name)
		files[path.Base(name)] = text
		sum.Write(text)
		return err
	})
	if err != nil {
		panic(err) // embedded: it can't fail
	}
	return files, hex.EncodeToString(sum.Sum(nil))[:12]
}

var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

func (c *Console) assetRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET "+Path+"/static/{stamp}/{name}", func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("name")
		text, ok := assets[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", assetTypes[name[strings.LastIndexByte(name, '.'):]])
		if r.PathValue("stamp") == stamp {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		_, _ = w.Write(text) // the client is gone: nobody is left to tell
	})
}
