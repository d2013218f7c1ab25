package bench

import (
	"context"
	"time"
)

// What tests of parts look at.
var (
	LoopbackOnly = loopbackOnly
	Listener     = listener
	ParseStat    = parseStat
	StatusField  = statusField
	MeasureFsync = measureFsync
	IDAt         = idAt
	StorageOf    = Own.storage
)

// Normal is Population.normal.
func Normal(p Population) Population { return p.normal() }

// Others is Population.others.
func Others(p Population) int { return p.others() }

// Members returns the members of Population.other(i).
func Members(p Population, i int) (list []int) {
	g := p.other(i)
	for k := range g.size {
		list = append(list, g.member(k))
	}
	return list
}

// RawCommitOf is measureRawCommit bound by a number.
func RawCommitOf(ctx context.Context, folder string, writers, inserts int) (RawCommit, error) {
	return measureRawCommit(ctx, folder, writers, bound{inserts, time.Hour})
}

// ChecksOf holds a report against what is asked on a database.
func ChecksOf(database string, r *Report) []Check {
	if database == "sqlite" {
		return onSQLite.checks(r)
	}
	return onPostgres.checks(r)
}
