package lookingglass

import (
	"maps"

	"github.com/rollcall-scim/rollcall/scim"
)

// Learn tells the recorder of types that are served from now on, before they
// are: what they keep to themselves is masked in addition to what was so far.
func (r *Recorder) Learn(types []*scim.ResourceType) {
	n := secretNames(types)
	for {
		before := r.learnt.Load()
		if before != nil {
			maps.Copy(n, *before)
		}
		if r.learnt.CompareAndSwap(before, &n) {
			return
		}
	}
}

// recall makes what was learnt count. Only the worker calls it.
func (r *Recorder) recall() {
	if n := r.learnt.Swap(nil); n != nil {
		all := maps.Clone(r.names)
		maps.Copy(all, *n)
		r.names = all
		clear(r.words) // what they say was worked out without the new names
	}
}
