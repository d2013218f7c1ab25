// Package scim is the vocabulary of SCIM 2.0: the resources, schemas, filters
// and errors of RFC 7643 and RFC 7644, and [Backend], the one interface a data
// store implements.
//
// It performs no I/O and imports only the standard library's pure packages,
// jsontext and golang.org/x/text. It does nothing by itself: its verbs live
// beside it, and an application meets them in this order.
//
//   - To serve SCIM, make an engine of a Backend (engine.New) and a handler of
//     the engine (scimhttp.NewHandler, or NewResolver for many customers).
//   - For a Backend, take package memory or sqlite, or write five methods and
//     hold them to package scimtest. Package filter answers queries over what is
//     in memory, sqlfilter compiles them for tables that are there already.
//   - For resource types and extensions of one's own, describe them in JSON and
//     read them with schema.Read.
//   - For clients that keep to no standard, choose a profile of package compat.
//
// The packages schema, filter and patch are what the engine is made of; a
// backend needs schema.Load, where it wants the attributes of a resource that it
// stored as text, and no more. The folder examples has a program for each of
// these, and docs/embedding.md walks through the largest.
package scim
