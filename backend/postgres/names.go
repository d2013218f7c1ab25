package postgres

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"
)

// place is the short and lasting form in which an attribute's path is stored:
// itself, or for one of an extension a hash of its URN and the name. URNs are
// long, and stand in every index.
func place(path string) string {
	at := strings.LastIndexByte(path, ':')
	if at < 0 {
		return path
	}
	sum := sha256.Sum256([]byte(path[:at]))
	return base64.RawURLEncoding.EncodeToString(sum[:9]) + path[at:]
}

// PostgreSQL has no U+0000 in texts. escape replaces it, and the two characters
// after it, each by four: the first code is of U+0000, the next of U+0001. No
// code is a part of two others, so that what is equal, less, a beginning, an
// end or in the middle stays so. Bytes that are not UTF-8 become what no text
// does.
func escape(s string) string {
	if !strings.ContainsAny(s, "\x00\x01\x02") && utf8.ValidString(s) {
		return s
	}
	if !utf8.ValidString(s) {
		return "\x02" + hex.EncodeToString([]byte(s))
	}
	return escaper.Replace(s)
}

func unescape(s string) string {
	if strings.IndexByte(s, 1) < 0 {
		return s
	}
	return unescaper.Replace(s)
}

const code0, code1, code2 = "\x01\x01\x01\x02", "\x01\x01\x02\x02", "\x01\x02\x02\x02"

var (
	escaper   = strings.NewReplacer("\x00", code0, "\x01", code1, "\x02", code2)
	unescaper = strings.NewReplacer(code0, "\x00", code1, "\x01", code2, "\x02")
)

// orNull is s escaped, or nil where there is none.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return escape(s)
}

// number is a value of attrs.num: an int64, a float64 or nil. A float becomes
// the shortest decimal that stands for it; above 2^53, where that need not be
// the integer that it is, this integer. So floats and integers compare exactly.
func number(v any) pgtype.Numeric {
	switch v := v.(type) {
	case int64:
		return pgtype.Numeric{Int: big.NewInt(v), Valid: true}
	case float64:
		if math.Abs(v) >= 1<<53 {
			n, _ := new(big.Float).SetFloat64(v).Int(nil)
			return pgtype.Numeric{Int: n, Valid: true}
		}
		text := strconv.FormatFloat(v, 'e', -1, 64)
		mantissa, exponent, _ := strings.Cut(text, "e")
		exp, _ := strconv.Atoi(exponent)
		whole, fraction, _ := strings.Cut(mantissa, ".")
		n, _ := new(big.Int).SetString(whole+fraction, 10)
		return pgtype.Numeric{Int: n, Exp: int32(exp - len(fraction)), Valid: true}
	}
	return pgtype.Numeric{}
}
