package bench

import (
	"fmt"
	"strings"
)

// Population says which people and groups are measured. All of it follows from
// these parameters, so that who knows them knows every name and every
// membership.
type Population struct {
	Name        string `json:"name"`        // part of every userName and displayName
	Users       int    `json:"users"`       // people
	Memberships int    `json:"memberships"` // of people in groups, those of the ladder left out
	Largest     int    `json:"largest"`     // members of the largest group
	GroupSize   int    `json:"groupSize"`   // members of each of the others
	Small       bool   `json:"small"`       // documents of 300 bytes in place of 1.5 KB
}

// ladder are the sizes of the groups to which members are added.
var ladder = []int{0, 1_000, 10_000, 100_000}

// normal returns p with its parameters made to fit each other.
func (p Population) normal() Population {
	p.Users = max(p.Users, 1)
	p.Largest = min(max(p.Largest, 0), p.Users, max(p.Memberships, 0))
	p.GroupSize = min(max(p.GroupSize, 1), p.Users)
	p.Memberships = p.Largest + (max(p.Memberships, p.Largest)-p.Largest)/p.GroupSize*p.GroupSize
	return p
}

// prefix begins every userName and displayName of the population, and tells
// whoever finds one where it comes from.
func (p Population) prefix() string { return "rollcall-bench-" + p.Name + "-" }

// userName is that of the person n. Those of other series than "" are not part
// of the population.
func (p Population) userName(series string, n int) string {
	return fmt.Sprintf("%s%s%d@example.com", p.prefix(), series, n)
}

// marker is the userName of somebody who is made last: who is there only if the
// population is complete.
func (p Population) marker() string {
	size := "full"
	if p.Small {
		size = "small"
	}
	return fmt.Sprintf("%scomplete-u%d-m%d-l%d-g%d-%s@example.com", p.prefix(), p.Users, p.Memberships, p.Largest, p.GroupSize, size)
}

// group is one group of the population.
type group struct {
	name   string // displayName
	size   int
	member func(k int) int // the number of the person who is its member k
}

func first(k int) int { return k }

// step returns the group of the ladder of that size.
func (p Population) step(size int) group {
	return group{fmt.Sprintf("%sladder-%d", p.prefix(), size), size, first}
}

// steps returns the groups of the ladder that the people suffice for.
func (p Population) steps() []group {
	var list []group
	for _, size := range ladder {
		if size <= p.Users {
			list = append(list, p.step(size))
		}
	}
	return list
}

// largest returns the largest group.
func (p Population) largest() group { return group{p.prefix() + "largest", p.Largest, first} }

// others returns how many groups of GroupSize there are.
func (p Population) others() int { return (p.Memberships - p.Largest) / p.GroupSize }

// strides are primes; the people of a group are that far apart, so that who is
// in the same group was not made at the same time.
var strides = []int{1, 7919, 104729, 1299709, 15485863, 32452843, 49979687, 67867967, 86028121, 122949823}

// other returns the group i of those of GroupSize. Everybody is in about as
// many as everybody else.
func (p Population) other(i int) group {
	perPass := p.Users / p.GroupSize
	pass, at := i/perPass, i%perPass*p.GroupSize
	stride := strides[pass%len(strides)] + pass/len(strides)
	for gcd(stride, p.Users) != 1 {
		stride++
	}
	return group{fmt.Sprintf("%sgroup-%d", p.prefix(), i), p.GroupSize, func(k int) int {
		return int(uint64(at+k) * uint64(stride) % uint64(p.Users)) //nolint:gosec // neither is negative
	}}
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// number returns the n of the userName of a person of the population.
func (p Population) number(userName string) (n int, ok bool) {
	rest, ok := strings.CutPrefix(strings.ToLower(userName), p.prefix())
	digits, domain, at := strings.Cut(rest, "@")
	if !ok || !at || domain != "example.com" || digits == "" {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' || n > p.Users {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, n < p.Users
}

// String describes the population in words.
func (p Population) String() string {
	size := "1.5 KB"
	if p.Small {
		size = "300 bytes"
	}
	return fmt.Sprintf("%d people of %s, %d memberships in %d groups, the largest of %d", p.Users, size,
		p.Memberships, p.others()+1, p.Largest)
}
