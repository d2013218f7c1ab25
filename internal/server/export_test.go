package server

// SetUnsafeSynchronous opens the databases of s with synchronous=OFF, to show
// that the test of durability notices.
func (s *Settings) SetUnsafeSynchronous() { s.unsafeSynchronous = "OFF" }

// BaseFor returns the base URI that s makes for a port.
func (s Settings) BaseFor(port int) string { return s.baseFor(port) }
