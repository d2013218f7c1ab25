// Package conformance runs the fixtures under testdata against a server over
// HTTP, and reports which requirement of the RFCs each of them proves.
//
// A fixture is a conversation in a text file: [Parse] reads it, [Run] holds it
// with a server and checks each answer, against what the fixture expects and
// against what every SCIM answer has to be. docs/fixtures.md describes the
// format. [Requirements] and [Cover] tell which requirement is proven by
// which fixture or test, and [Report] writes that down for readers.
package conformance
