package console_test

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/console"
)

// TestTryLooks: the form, a preview and an answer.
func TestTryLooks(t *testing.T) {
	s := newSite(t)
	s.story()
	b := s.open(console.Path+"/try-it?template=create", adminToken)
	b.inspect("try-it")
	b.do(chromedp.Click("#request button.primary"))
	b.until("the preview", "document.querySelector('#outcome h2')")
	b.inspect("try-it-refused")
}
