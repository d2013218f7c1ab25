package scimhttp

// kept is the beginning of a body, for observers.
type kept struct {
	most int // 0: nothing is kept
	body []byte
	size int64 // of the whole body, as far as it came
}

func (k *kept) take(p []byte) {
	k.size += int64(len(p))
	if room := k.most - len(k.body); room > 0 && len(p) > 0 {
		k.body = append(k.body, p[:min(len(p), room)]...)
	}
}

// whole is take for a body that was read into one piece, perhaps not to its
// end.
func (k *kept) whole(p []byte) {
	announced := k.size
	k.size = 0
	k.take(p)
	k.size = max(k.size, announced)
}
