package sqlite

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	db := &DB{readers: newPool([]*conn{{}, {}})}
	life := context.Background()
	first, _ := db.readers.take(t.Context(), life)
	second, _ := db.readers.take(t.Context(), life)
	if l := db.Load(); l.InUse != 2 || l.Idle != 0 || l.Most != 2 || l.Waits != 0 {
		t.Errorf("%+v", l)
	}
	short, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if _, err := db.readers.take(short, life); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a third connection: %v", err)
	}
	db.readers.put(first)
	db.readers.put(second)
	if l := db.Load(); l.InUse != 0 || l.Idle != 2 || l.Waits != 1 || l.Waited <= 0 {
		t.Errorf("%+v", l)
	}
}
