package console

import (
	"encoding/json"
	"net/http"
	"regexp"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
)

// preview is what a write would do, as the engine answers to dryRun.
type preview struct {
	previewPart
	Checked string `json:"checked"` // "backend" if it was asked too
	Facade  string `json:"-"`
	Rules   []lookingglass.Rule
	Answer  *tryAnswer    `json:"-"` // in place of all else: it was not even tried
	Would   bool          `json:"-"` // it may be sent for what it would do
	Parts   []previewPart `json:"Operations"`
}

type previewPart struct {
	Method      string          `json:"method"`
	BulkID      string          `json:"bulkId"`
	Type        string          `json:"resourceType"`
	ID          string          `json:"id"`
	WouldChange bool            `json:"wouldChange"`
	Changes     []previewChange `json:"changes"`
	Members     struct {
		Added       []string `json:"added"`
		Removed     []string `json:"removed"`
		MoreAdded   int      `json:"moreAdded"`
		MoreRemoved int      `json:"moreRemoved"`
	} `json:"members"`
	Refused *refused `json:"refused"`
	Costs   []cost   `json:"costs"`
}

type previewChange struct {
	Path   string          `json:"path"`
	Before json.RawMessage `json:"before"`
	After  json.RawMessage `json:"after"`
}

// Was and Is are the values as text.
func (c previewChange) Was() string { return string(c.Before) }

// Is is the value afterwards.
func (c previewChange) Is() string { return string(c.After) }

type refused struct {
	Status string `json:"status"`
	Type   string `json:"scimType"`
	Detail string `json:"detail"`
}

var sectionOf = regexp.MustCompile(`RFC \d{4} §\d+(?:\.\d+)*`)

// Section is the place in the RFCs that the detail names, or "".
func (r *refused) Section() string { return sectionOf.FindString(r.Detail) }

type cost struct {
	Kind   string `json:"kind"`
	Text   string `json:"text"`
	Rows   *int64 `json:"rows"`
	Times  int    `json:"times"`
	Micros int64  `json:"micros"`
}

// preview asks what a write would do.
func (c *Console) preview(r *http.Request, page *tryPage) {
	req, fault := c.request(r, page.tried)
	if page.Fault = fault; fault != "" {
		return
	}
	req.Query.Set("dryRun", "true")
	a := c.tell(r, req)
	p := &preview{Facade: c.o.Facade}
	page.Preview = p
	if a.Status != http.StatusOK || json.Unmarshal(a.Text, p) != nil || a.Cut {
		p.Answer = c.answerOf(r, a)
		return
	}
	if x := c.recorded(r.Context(), a.ID); x != nil {
		p.Rules = x.Rules
	}
	p.Would = p.Refused == nil
}
