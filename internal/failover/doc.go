// Package failover finds out what writers lose when parts of a highly available
// Rollcall fail: instances of "rollcall serve" over a PostgreSQL that Patroni,
// etcd and HAProxy keep alive, all on loopback addresses of one machine.
//
// A [Load] writes through all instances and notes in a [Ledger] what was
// acknowledged and what ended in doubt. [Ledger.Audit] then compares that with
// what the instances show, and [History.Check] asks whether the updates that
// depended on a version can have happened in some order, one after the other.
// [Record] holds how long nobody's write was acknowledged, and what clients
// were answered meanwhile.
//
// The faults themselves are in the tests with the build tag "ha", which start
// a [Cluster]: make test-ha. Those without the tag prove on an instance that
// lies that the checks can fail.
package failover
