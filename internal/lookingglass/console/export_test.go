package console

// Plural is what templates count with.
var Plural = plural
