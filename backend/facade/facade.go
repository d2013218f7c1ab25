// Package facade is what any façade needs: SCIM in front of an application that
// has an API of its own, keeps the data, and knows the caller by the token that
// is passed through.
//
// [Upstream] makes the calls: limits, time-outs, retries, a log without
// secrets, and a [Failure] that says what an administrator can do. [Caller] is
// the identity that a request carries to them. [Store] makes a scim.Backend of
// one [Source] per resource type: filters, sorting, paging, uniqueness, locks
// and the index are its business; what the application calls a user, and which
// calls make one, is the Source's. Package pactflow is the first application;
// examples/facade is the smallest.
package facade
