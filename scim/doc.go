// Package scim is the vocabulary of SCIM 2.0: the resources, schemas, filters
// and errors of RFC 7643 and RFC 7644, and [Backend], the one interface a data
// store implements.
//
// It performs no I/O and imports only the standard library's pure packages,
// jsontext and golang.org/x/text. Its verbs live beside it: package schema
// decodes, checks and projects resources; filter parses and evaluates filters;
// patch applies PATCH; engine runs the protocol; scimhttp serves it.
package scim
