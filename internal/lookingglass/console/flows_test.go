package console_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/console"
)

// TestFlowLooks: a flow at its beginning, in the middle and at its end.
func TestFlowLooks(t *testing.T) {
	s := newSite(t)
	b := s.open(console.Path+"/flows", viewerToken)
	b.inspect("flows")
	b.visit(console.Path + "/flows/dialect")
	b.inspect("flow-outline")
	b.do(chromedp.Click(".head button.primary"))
	b.until("the first step", "document.querySelector('#step-1.now')")
	for n := range 3 {
		b.do(chromedp.Click("li.now button.primary"))
		b.until("the step", fmt.Sprintf("document.querySelectorAll('li.done').length === %d", n+1))
	}
	b.inspect("flow-middle")
}
