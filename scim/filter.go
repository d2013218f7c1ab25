package scim

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// Filter is a node of a parsed filter (RFC 7644 §3.4.2.2). The set is closed:
// *AttrExp, *LogExp, *NotExp and *ValuePath, after the rules of Figure 1.
//
//sumtype:decl
type Filter interface {
	// String returns the filter's text, which parses to an equal filter.
	String() string
	isFilter()
}

// CompareOp is a compareOp of RFC 7644 Figure 1, or "pr".
type CompareOp string

// The operators of RFC 7644 §3.4.2.2, Table 3.
const (
	Eq CompareOp = "eq"
	Ne CompareOp = "ne"
	Co CompareOp = "co"
	Sw CompareOp = "sw"
	Ew CompareOp = "ew"
	Gt CompareOp = "gt"
	Ge CompareOp = "ge"
	Lt CompareOp = "lt"
	Le CompareOp = "le"
	Pr CompareOp = "pr"
)

// And and Or are the logical operators of RFC 7644 §3.4.2.2, Table 4.
const (
	And = "and"
	Or  = "or"
)

type (
	// AttrExp compares an attribute with a value, or tests its presence.
	//
	// Value is as parsed: string, bool, nil or json.Number; once bound, it
	// has the Go type of the attribute ([AttributeType]) or is nil for the
	// literal null, which only Eq and Ne take. It is unused with Pr.
	AttrExp struct {
		Path  AttrPath
		Op    CompareOp
		Value any
	}
	// LogExp joins two filters with And or Or.
	LogExp struct {
		Op          string
		Left, Right Filter
	}
	// NotExp negates a filter.
	NotExp struct{ Filter Filter }
	// ValuePath holds for a resource if one value of the attribute Path
	// satisfies Filter, whose paths name sub-attributes: once bound, each has
	// Name and Attr of the attribute itself and Sub, SubAttr of the
	// sub-attribute. On a simple multi-valued attribute SubAttr is nil and the
	// expression is about the element.
	ValuePath struct {
		Path   AttrPath
		Filter Filter
	}
)

func (*AttrExp) isFilter()   {}
func (*LogExp) isFilter()    {}
func (*NotExp) isFilter()    {}
func (*ValuePath) isFilter() {}

// String returns the expression's text.
func (e *AttrExp) String() string {
	s := e.Path.String() + " " + string(e.Op)
	if e.Op == Pr {
		return s
	}
	return s + " " + literal(e.Value)
}

// String returns the expression's text, with parentheses where precedence
// needs them.
func (e *LogExp) String() string {
	return e.operand(e.Left, false) + " " + e.Op + " " + e.operand(e.Right, true)
}

func (e *LogExp) operand(f Filter, right bool) string {
	l, ok := f.(*LogExp)
	if ok && (right || (e.Op == And && l.Op == Or)) {
		return "(" + f.String() + ")"
	}
	return f.String()
}

// String returns the expression's text.
func (e *NotExp) String() string { return "not (" + e.Filter.String() + ")" }

// String returns the expression's text. A bound sub-filter is printed with
// the names of the sub-attributes alone, as the grammar has it.
func (e *ValuePath) String() string {
	return e.Path.String() + "[" + inner(e.Filter).String() + "]"
}

// inner strips the attribute's own name from the bound paths of a valFilter.
func inner(f Filter) Filter {
	switch f := f.(type) {
	case *AttrExp:
		switch {
		case f.Path.SubAttr != nil:
			return &AttrExp{AttrPath{Name: f.Path.Sub}, f.Op, f.Value}
		case f.Path.Attr != nil:
			return &AttrExp{AttrPath{Name: "value"}, f.Op, f.Value}
		}
		return f
	case *LogExp:
		return &LogExp{f.Op, inner(f.Left), inner(f.Right)}
	case *NotExp:
		return &NotExp{inner(f.Filter)}
	}
	return f
}

func literal(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return string(AppendNumber(nil, v))
	case string:
		return string(AppendString(nil, v))
	case DateTime:
		return string(AppendString(nil, v.Text))
	case []byte:
		return string(AppendString(nil, base64.StdEncoding.EncodeToString(v)))
	case fmt.Stringer: // json.Number
		return v.String()
	}
	return fmt.Sprint(v)
}

// Walk calls visit for f and then for each filter below it, in reading order.
func Walk(f Filter, visit func(Filter)) {
	if f == nil {
		return
	}
	visit(f)
	switch f := f.(type) {
	case *LogExp:
		Walk(f.Left, visit)
		Walk(f.Right, visit)
	case *NotExp:
		Walk(f.Filter, visit)
	case *ValuePath:
		Walk(f.Filter, visit)
	}
}

// Conjunction returns the expressions that f joins by "and" alone, or false if
// f is anything else (RFC 7644 §3.5.2.3 needs it to know what a filter asks a
// new value to be).
func Conjunction(f Filter) ([]*AttrExp, bool) {
	switch f := f.(type) {
	case *AttrExp:
		return []*AttrExp{f}, true
	case *LogExp:
		if !strings.EqualFold(f.Op, And) {
			return nil, false
		}
		l, ok := Conjunction(f.Left)
		r, ok2 := Conjunction(f.Right)
		return append(l, r...), ok && ok2
	}
	return nil, false
}
