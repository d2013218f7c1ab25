package schema

import (
	"crypto/x509"
	"errors"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/text/language"

	"github.com/rollcall-scim/rollcall/scim"
)

// form checks the form of one simple value of a, a sub-attribute of parent or
// of nothing.
func (c *checker) form(urn, path string, a, parent *scim.Attribute, v any) {
	if a.Mutability == scim.ReadOnly {
		return
	}
	text, isText := v.(string)
	switch {
	case a.Type == scim.TypeReference && isText:
		if !isURI(text) {
			c.faults.add(scim.TypeInvalidValue, path, "a URI is expected, absolute or relative (RFC 7643 §2.3.7)")
		}
	case a.Precis == scim.PrecisUsername && isText:
		c.username(path, text)
	}
	if isText && len(a.CanonicalValues) > 0 && text != "" && !isCanonical(a, text) {
		c.lax(path, "one of "+strings.Join(a.CanonicalValues, ", ")+" is expected (RFC 7643 §2.3.1)")
	}
	if urn == "" && c.t.Schema.ID == scim.UserURN {
		c.userForm(path, a, parent, v)
	}
}

// lax notes a fault that FreeFormats forgives.
func (c *checker) lax(path, want string) {
	if c.FreeFormats {
		c.report("BODY-09")
		return
	}
	c.faults.add(scim.TypeInvalidValue, path, "%s", want)
}

// userForm checks the forms that RFC 7643 §4.1 gives attributes of the User.
func (c *checker) userForm(path string, a, parent *scim.Attribute, v any) {
	if data, ok := v.([]byte); ok {
		if path == "x509Certificates.value" {
			if _, err := x509.ParseCertificate(data); err != nil {
				c.faults.add(scim.TypeInvalidValue, path, "one X.509 certificate in DER is expected (RFC 7643 §4.1.2)")
			}
		}
		return
	}
	text, _ := v.(string)
	if text == "" {
		return
	}
	switch path {
	case "locale":
		if !isLanguageTag(text) {
			c.lax(path, "a language tag as \"en-US\" is expected (RFC 7643 §4.1.1, BCP 47)")
		}
	case "preferredLanguage":
		if _, _, err := language.ParseAcceptLanguage(text); len(text) > 256 || unknownTag(err) {
			c.lax(path, "languages as in an Accept-Language header are expected (RFC 7643 §4.1.1, RFC 9110 §12.5.4)")
		}
	case "timezone":
		if !isZoneName(text) {
			c.lax(path, "the name of a time zone as \"Europe/Vienna\" is expected (RFC 7643 §4.1.1, RFC 6557)")
		}
	case "addresses.country":
		if !isCountry(text) {
			c.lax(path, "a country code of two letters as \"US\" is expected (RFC 7643 §4.1.2, ISO 3166-1)")
		}
	}
}

func isCanonical(a *scim.Attribute, text string) bool {
	folded := scim.Fold(a, text)
	return slices.ContainsFunc(a.CanonicalValues, func(s string) bool { return scim.Fold(a, s) == folded })
}

// isURI reports whether s is a URI reference (RFC 3986 §4.1), or one with
// characters beyond ASCII (RFC 3987).
func isURI(s string) bool {
	for _, r := range s {
		if r <= ' ' || r == 0x7f || strings.ContainsRune("\"<>\\^`{|}", r) {
			return false
		}
	}
	_, err := url.Parse(s)
	return err == nil
}

// isLanguageTag reports whether s is well-formed (RFC 5646 §2.2.9). Like
// POSIX it may have underscores, and subtags need not be registered.
func isLanguageTag(s string) bool {
	if len(s) > 256 {
		return false
	}
	_, err := language.Parse(s)
	return !unknownTag(err)
}

// unknownTag reports whether err means more than an unregistered subtag.
func unknownTag(err error) bool {
	var unregistered language.ValueError
	return err != nil && !errors.As(err, &unregistered)
}

// isZoneName reports whether s may be a name in the IANA time zone database.
// The names themselves are data that changes several times a year; the areas
// do not.
func isZoneName(s string) bool {
	area, rest, located := strings.Cut(s, "/")
	if !located {
		return slices.Contains(zones, s)
	}
	if !slices.Contains(areas, area) {
		return false
	}
	parts := strings.Split(rest, "/")
	return len(parts) <= 2 && !slices.ContainsFunc(parts, func(part string) bool {
		return part == "" || len(part) > 32 || strings.Trim(part, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-") != ""
	})
}

var (
	areas = strings.Fields(`Africa America Antarctica Arctic Asia Atlantic Australia Brazil Canada Chile Etc Europe
		Indian Mexico Pacific US`)
	zones = strings.Fields(`CET CST6CDT Cuba EET EST EST5EDT Egypt Eire Factory GB GB-Eire GMT GMT+0 GMT-0 GMT0
		Greenwich HST Hongkong Iceland Iran Israel Jamaica Japan Kwajalein Libya MET MST MST7MDT NZ NZ-CHAT Navajo
		PRC PST8PDT Poland Portugal ROC ROK Singapore Turkey UCT UTC Universal W-SU WET Zulu`)
)

// isCountry reports whether s is a country code of ISO 3166-1 alpha-2, in
// either case.
func isCountry(s string) bool {
	return len(s) == 2 && slices.Contains(countries, strings.ToUpper(s))
}

var countries = strings.Fields(`AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN
	BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH
	ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM
	IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG
	MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM
	PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH
	TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW`)
