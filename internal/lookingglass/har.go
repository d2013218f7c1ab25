package lookingglass

import (
	"encoding/json"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"
)

// The parts of a HAR file, version 1.2, that are written.
type (
	harFile struct {
		Log harLog `json:"log"`
	}
	harLog struct {
		Version string     `json:"version"`
		Creator harCreator `json:"creator"`
		Entries []harEntry `json:"entries"`
	}
	harCreator struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	harEntry struct {
		Started  string      `json:"startedDateTime"`
		Time     float64     `json:"time"` // ms
		Request  harRequest  `json:"request"`
		Response harResponse `json:"response"`
		Cache    struct{}    `json:"cache"`
		Timings  harTimings  `json:"timings"`
		Comment  string      `json:"comment,omitempty"`
	}
	harRequest struct {
		Method      string   `json:"method"`
		URL         string   `json:"url"`
		HTTPVersion string   `json:"httpVersion"`
		Cookies     []string `json:"cookies"`
		Headers     []Header `json:"headers"`
		QueryString []Header `json:"queryString"`
		PostData    *harPost `json:"postData,omitempty"`
		HeadersSize int      `json:"headersSize"`
		BodySize    int64    `json:"bodySize"`
	}
	harPost struct {
		MimeType string `json:"mimeType"`
		Text     string `json:"text"`
	}
	harResponse struct {
		Status      int        `json:"status"`
		StatusText  string     `json:"statusText"`
		HTTPVersion string     `json:"httpVersion"`
		Cookies     []string   `json:"cookies"`
		Headers     []Header   `json:"headers"`
		Content     harContent `json:"content"`
		RedirectURL string     `json:"redirectURL"`
		HeadersSize int        `json:"headersSize"`
		BodySize    int64      `json:"bodySize"`
	}
	harContent struct {
		Size     int64  `json:"size"`
		MimeType string `json:"mimeType"`
		Text     string `json:"text,omitempty"`
	}
	harTimings struct {
		Send    float64 `json:"send"`
		Wait    float64 `json:"wait"`
		Receive float64 `json:"receive"`
	}
)

// HAR returns exchanges as a HAR file, version 1.2, which browsers and proxies
// open. What is masked in the exchanges is masked in it.
func HAR(list []*Exchange) ([]byte, error) {
	f := harFile{harLog{Version: "1.2", Creator: harCreator{"Rollcall", program()}, Entries: []harEntry{}}}
	for _, x := range list {
		ms := float64(x.Micros.Total) / 1000
		e := harEntry{Started: x.Time.Format(time.RFC3339Nano), Time: ms, Timings: harTimings{Wait: ms}, Comment: comment(x),
			Request: harRequest{Method: x.Method, URL: address(x), HTTPVersion: "HTTP/1.1", Cookies: []string{}, Headers: nonNil(x.Request.Headers),
				QueryString: []Header{}, HeadersSize: -1, BodySize: x.Request.Size},
			Response: harResponse{Status: x.Status, StatusText: http.StatusText(x.Status), HTTPVersion: "HTTP/1.1", Cookies: []string{},
				Headers: nonNil(x.Response.Headers), HeadersSize: -1, BodySize: x.Response.Size,
				Content: harContent{Size: x.Response.Size, MimeType: fieldOf(x.Response, "Content-Type"), Text: x.Response.Body}}}
		for part := range strings.SplitSeq(x.Sent, "&") {
			if name, value, _ := strings.Cut(part, "="); name != "" {
				e.Request.QueryString = append(e.Request.QueryString, Header{unescaped(name), unescaped(value)})
			}
		}
		if x.Request.Body != "" {
			e.Request.PostData = &harPost{fieldOf(x.Request, "Content-Type"), x.Request.Body}
		}
		f.Log.Entries = append(f.Log.Entries, e)
	}
	return json.MarshalIndent(f, "", " ")
}

// program is the version of this program, as far as it was built with one.
func program() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "devel"
}

// comment says what the exchange was, as far as HAR has no place for it.
func comment(x *Exchange) string {
	parts := []string{"client " + x.Client.Kind}
	for _, r := range x.Rules {
		parts = append(parts, r.ID)
	}
	if x.Fault != nil {
		parts = append(parts, x.Fault.Detail)
	}
	return strings.Join(parts, "; ")
}

func nonNil(list []Header) []Header {
	if list == nil {
		return []Header{}
	}
	return list
}

func fieldOf(m Message, name string) string {
	for _, h := range m.Headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

func unescaped(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}
