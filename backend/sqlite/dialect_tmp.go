package sqlite

func (dialect) Contains(text, term string, bind func(any) string) string  { return "" }
func (dialect) HasSuffix(text, term string, bind func(any) string) string { return "" }
func (dialect) Placeholder(int) string                                    { return "?" }
