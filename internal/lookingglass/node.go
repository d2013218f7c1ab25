package lookingglass

import (
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// Tree returns a filter as a tree with words. A filter that is bound to a
// schema says more than one that is only parsed. nil has none.
func Tree(f scim.Filter) *Node {
	switch f := f.(type) {
	case *scim.AttrExp:
		return &Node{Text: f.String(), Words: comparison(f)}
	case *scim.LogExp:
		n := &Node{Text: strings.ToLower(f.Op), Words: "all of these hold"}
		if n.Text == scim.Or {
			n.Words = "at least one of these holds"
		}
		for _, side := range []scim.Filter{f.Left, f.Right} {
			if l, ok := side.(*scim.LogExp); ok && strings.EqualFold(l.Op, f.Op) {
				n.Under = append(n.Under, Tree(l).Under...)
				continue
			}
			n.Under = append(n.Under, Tree(side))
		}
		return n
	case *scim.NotExp:
		return &Node{Text: "not", Words: "this does not hold", Under: []*Node{Tree(f.Filter)}}
	case *scim.ValuePath:
		return &Node{Text: f.String(), Words: "a single value of " + f.Path.String() + " for which this holds", Under: []*Node{Tree(f.Filter)}}
	}
	return nil
}

// relations are the operators in words.
var relations = map[scim.CompareOp]string{scim.Eq: "is", scim.Ne: "is not", scim.Co: "contains", scim.Sw: "begins with", scim.Ew: "ends with",
	scim.Gt: "is greater than", scim.Ge: "is at least", scim.Lt: "is less than", scim.Le: "is at most"}

var inTime = map[scim.CompareOp]string{scim.Gt: "is after", scim.Ge: "is not before", scim.Lt: "is before", scim.Le: "is not after"}

func comparison(e *scim.AttrExp) string {
	op := scim.CompareOp(strings.ToLower(string(e.Op)))
	path := e.Path.String()
	if e.Path.URN != "" && e.Path.Name != "" {
		path = (scim.AttrPath{Name: e.Path.Name, Sub: e.Path.Sub}).String()
	}
	if op == scim.Pr {
		return path + " has a value"
	}
	if e.Value == nil {
		if op == scim.Ne {
			return path + " has a value"
		}
		return path + " has no value"
	}
	leaf := e.Path.Leaf()
	relation := relations[op]
	if leaf != nil && leaf.Type == scim.TypeDateTime && inTime[op] != "" {
		relation = inTime[op]
	}
	text := strings.TrimPrefix(e.String(), e.Path.String()+" "+string(e.Op)+" ")
	words := path + " " + relation + " " + text
	if op == scim.Ne {
		words += ", or is missing"
	}
	if _, isText := e.Value.(string); isText && leaf != nil {
		if leaf.CaseExact || leaf.Type == scim.TypeReference {
			words += " (in exactly this case)"
		} else {
			words += " (in any case)"
		}
	}
	return words
}

// each calls visit for n and all below it.
func (n *Node) each(visit func(*Node)) {
	if n == nil {
		return
	}
	visit(n)
	for _, u := range n.Under {
		u.each(visit)
	}
}
