package server

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// lookingGlass checks the settings of the Looking Glass. fault takes what is
// wrong.
func (c *Config) lookingGlass(s *Settings, fault func(*problem)) {
	bad := func(name, value, allowed string) {
		fault(&problem{c.source(name), `="` + printable(value) + `": ` + allowed})
	}
	var err error
	if s.LookingGlass, err = strconv.ParseBool(cmp.Or(c.LookingGlass, "true")); err != nil {
		bad("LookingGlass", c.LookingGlass, "must be true or false")
	}
	var ok bool
	if s.GlassKeep, s.GlassDays, ok = glassKeep(c.GlassKeep); !ok {
		bad("GlassKeep", c.GlassKeep, `must be a number of exchanges from 100 to 1000000, a number of days from 1d to 365d, or both, such as "10000,7d"`)
	}
	if s.GlassRate, ok = wholeNumber(cmp.Or(c.GlassRate, "200"), 100_000); !ok || s.GlassRate == 0 {
		bad("GlassRate", c.GlassRate, "must be a whole number of exchanges a second from 1 to 100000")
	}
	switch s.ConsoleToken = c.ConsoleToken; {
	case s.ConsoleToken == "":
	case !sendable([]string{s.ConsoleToken}):
		fault(&problem{c.source("ConsoleToken"), " (value not shown): a token must be printable ASCII without blanks, of at most 8192 bytes"})
	case slices.Contains(commaList(c.Token), s.ConsoleToken):
		fault(&problem{c.source("ConsoleToken"), " (value not shown): must not be one of the tokens that may change the directory"})
	}
}

// glassKeep reads "10000,7d", or either part alone.
func glassKeep(text string) (number, days int, ok bool) {
	number, days = 10_000, 7
	for _, part := range commaList(text) {
		if digits, found := strings.CutSuffix(part, "d"); found {
			if days, ok = wholeNumber(digits, 365); !ok || days == 0 {
				return 0, 0, false
			}
		} else if number, ok = wholeNumber(part, 1_000_000); !ok || number < 100 {
			return 0, 0, false
		}
	}
	return number, days, true
}
