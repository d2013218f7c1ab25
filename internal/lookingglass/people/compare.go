package people

import "context"

// peopleInPassing is how many people a list has that may be a part of a longer
// one: what was read for it is kept for a while.
const peopleInPassing = 200

// Compare says of each value of a list what became of the person, in the order
// of the list, and calls emit with each verdict as it is known. It reads the
// directory a batch at a time. An error of emit ends it and is returned.
func (d *Desk) Compare(ctx context.Context, list []string, emit func(i int, v *Verdict) error) error {
	if len(list) > peopleInPassing {
		defer d.forgetSearches()
	}
	for start := 0; start < len(list); start += batch {
		part := list[start:min(start+batch, len(list))]
		var values []string
		for _, s := range part {
			if v := clean(s); v != "" {
				values = append(values, v)
			}
		}
		located, err := d.locate(ctx, values)
		if err != nil && (d.s.Facade == "" || !notAllowed(err)) {
			return err
		}
		if err != nil {
			located = nil // judge says so
		}
		for i, s := range part {
			if err := ctx.Err(); err != nil {
				return err
			}
			v := &Verdict{Asked: s, Cause: Unknown, Words: "This is no value that a person can have: it is empty or too long."}
			if c := clean(s); c != "" && len(c) <= maxValue {
				if v, err = d.judge(ctx, s, located, false); err != nil {
					return err
				}
			}
			if err := emit(start+i, v); err != nil {
				return err
			}
		}
	}
	return nil
}
