package bench

import (
	"math/bits"
	"time"
)

// Each power of two of nanoseconds is divided into so many buckets, so that a
// latency is known to within 1.6 %.
const (
	fineBits = 6
	fine     = 1 << fineBits
	octaves  = 40 // up to 2^45 ns, some ten hours
)

// Histogram counts latencies in buckets whose width grows with them, as HDR
// histograms do. The zero value is empty. It is not safe for concurrent use:
// each worker has its own.
type Histogram struct {
	counts   [octaves * fine]uint64
	n        uint64
	sum      time.Duration
	min, max time.Duration
}

// Add counts one latency.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	if h.n == 0 || d < h.min {
		h.min = d
	}
	h.max = max(h.max, d)
	h.n++
	h.sum += d
	h.counts[bucket(uint64(d))]++
}

// Merge adds what other counted.
func (h *Histogram) Merge(other *Histogram) {
	if other.n == 0 {
		return
	}
	if h.n == 0 || other.min < h.min {
		h.min = other.min
	}
	h.max = max(h.max, other.max)
	h.n += other.n
	h.sum += other.sum
	for i, c := range other.counts {
		h.counts[i] += c
	}
}

// Count returns how many latencies were counted.
func (h *Histogram) Count() int { return int(h.n) }

// Mean returns the mean, or 0 of none.
func (h *Histogram) Mean() time.Duration {
	if h.n == 0 {
		return 0
	}
	return h.sum / time.Duration(h.n)
}

// Max returns the greatest latency, exactly.
func (h *Histogram) Max() time.Duration { return h.max }

// Quantile returns the latency that the share q (0 to 1) of them does not
// exceed, to within the width of a bucket; 0 of none.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank := min(uint64(q*float64(h.n)), h.n-1)
	var seen uint64
	for i, c := range h.counts {
		if seen += c; seen > rank {
			return min(max(time.Duration(middle(i)), h.min), h.max)
		}
	}
	return h.max
}

// bucket returns the index of the bucket that holds v.
func bucket(v uint64) int {
	if v < fine {
		return int(v)
	}
	shift := bits.Len64(v) - fineBits - 1
	return min((shift+1)<<fineBits+int(v>>shift)-fine, octaves*fine-1)
}

// bounds returns the first value of the bucket, and that of the next one.
func bounds(i int) (from, to uint64) {
	shift := max(i>>fineBits-1, 0)
	from = uint64(i)
	if i >= fine {
		from = uint64(i&(fine-1)+fine) << shift
	}
	return from, from + 1<<shift
}

func middle(i int) uint64 {
	from, to := bounds(i)
	return from + (to-from)/2
}

// Bucket is a part of a histogram as reports hold it.
type Bucket struct {
	BelowMS float64 `json:"belowMs"`
	Count   uint64  `json:"count"`
}

// Buckets returns what was counted in eight buckets for each power of two,
// leaving out the empty ones.
func (h *Histogram) Buckets() []Bucket {
	var list []Bucket
	for i := 0; i < len(h.counts); i += fine / 8 {
		var n uint64
		for _, c := range h.counts[i : i+fine/8] {
			n += c
		}
		if n > 0 {
			_, to := bounds(i + fine/8 - 1)
			list = append(list, Bucket{float64(to) / 1e6, n})
		}
	}
	return list
}
