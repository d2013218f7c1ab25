// Package scimtest is the contract of [scim.Backend] as a test suite.
//
// A backend's own test is a few lines: it says how to open the backend and
// calls [Run]. What the backend cannot do is told in [Lacks]. Each failure says
// which rule of the contract is broken.
//
// Resources are made as the engine makes them, by package schema and package
// patch, and answers are compared with those of package memory. It says nothing
// of speed, nor of what an application's own tables must hold; and what it can't
// see from outside, such as whether a write survives a loss of power, is left to
// tests of the backend's own.
//
//	func TestContract(t *testing.T) {
//		scimtest.Run(t, scimtest.Harness{Open: func(t *testing.T) (a, b scim.Backend) {
//			db := open(t)
//			return db.Tenant("a"), db.Tenant("b")
//		}})
//	}
package scimtest

import (
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
)

// Harness says how to open the backend under test.
type Harness struct {
	// Open returns empty backends of two tenants of one store, closed when the
	// test ends. It is called many times, also from parallel tests.
	Open func(t *testing.T) (a, b scim.Backend)

	// Lacks says what the backend cannot do; zero: nothing is lacking. What a
	// [scim.Capable] backend says of itself need not be repeated.
	Lacks Lacks

	// Types are User and Group as a backend has them that keeps less than
	// RFC 7643 §4; nil: schema.Core(). What the core schemas have and these lack
	// the suite's resources lose before the backend gets them, as the engine
	// drops what is in Traits.Unstored; filters may name it, and find no value.
	Types []*scim.ResourceType

	// Fit makes of a resource of the suite's what the backend would make of it,
	// where its application wants more, or otherwise: a user without a mail
	// address gets one. It is called before each Create and Update, and so tells
	// what must come back. To fit twice must change nothing. It may be called by
	// many goroutines at once; nil: nothing is changed.
	Fit func(*scim.Resource)

	// Seed chooses the random cases; 0: the present time. The seed of a run is
	// printed when one of its cases fails.
	Seed uint64

	// Short leaves out the expensive cases, for runs with the race detector.
	Short bool
}

// Run runs the contract. The optional interfaces that the backend has are held
// to theirs; a backend with MemberUpdater is tested once with and once without
// it, and must give the same answers.
func Run(t *testing.T, h Harness) {
	s := newSuite(t, h)
	t.Run("Lacks", s.lacking)
	a, _ := h.Open(t)
	_, updater := a.(scim.MemberUpdater)
	plain := *s
	plain.whole = true
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if !c.alone {
				t.Parallel()
			}
			c.run(t, s)
		})
		if updater && c.members {
			t.Run("WithoutMemberUpdater/"+c.name, func(t *testing.T) {
				t.Parallel()
				c.run(t, &plain)
			})
		}
	}
}

// cases is the contract in the order of its parts.
var cases = []struct {
	name    string
	run     func(*testing.T, *suite)
	alone   bool // counts goroutines, so that nothing else may run
	members bool // writes members, so that it runs with and without MemberUpdater
}{
	{name: "Context", run: testContext, alone: true},
	{name: "Identity/Create", run: testCreate},
	{name: "Identity/Get", run: testGet},
	{name: "Identity/Update", run: testUpdate},
	{name: "Identity/Delete", run: testDelete},
	{name: "Isolation/Tenants", run: testTenants},
	{name: "Isolation/Copies", run: testCopies},
	{name: "RoundTrip/Values", run: testValues},
	{name: "RoundTrip/Many", run: testManyValues},
	{name: "RoundTrip/ExternalID", run: testExternalID},
	{name: "RoundTrip/Digest", run: testDigest},
	{name: "Uniqueness/Values", run: testUnique},
	{name: "Uniqueness/Doubles", run: testDoubles},
	{name: "Uniqueness/Race", run: testUniqueRace},
	{name: "Concurrency/Update", run: testUpdateRace},
	{name: "Concurrency/Members", run: testMemberRace, members: true},
	{name: "Concurrency/Delete", run: testDeleteRace, members: true},
	{name: "Filters", run: testFilters},
	{name: "Lists/Order", run: testListOrder},
	{name: "Lists/Pages", run: testListPages},
	{name: "Lists/Moving", run: testListMoving},
	{name: "Membership/Derived", run: testDerived, members: true},
	{name: "Membership/Write", run: testMembers, members: true},
	{name: "Membership/Unknown", run: testUnknownMembers, members: true},
	{name: "Membership/Cycle", run: testCycle, members: true},
	{name: "Membership/Depth", run: testDepth, members: true},
	{name: "Membership/Delete", run: testMemberDelete, members: true},
	{name: "Membership/Versions", run: testMemberVersions, members: true},
	{name: "Membership/Large", run: testLargeGroup, members: true},
	{name: "References/Display", run: testLinkDisplay},
	{name: "References/Delete", run: testLinkDelete},
	{name: "Changes/Records", run: testRecords, members: true},
	{name: "Changes/Queries", run: testChangeQueries, members: true},
	{name: "Batch", run: testBatch, members: true},
	{name: "Import", run: testImport},
	{name: "Undelete", run: testUndelete},
	{name: "Random/Queries", run: testRandomQueries},
	{name: "Random/Histories", run: testRandomHistories, members: true},
}
