package remote

import (
	"bufio"
	"errors"
	"io"
	"os"
)

// spool keeps on disk what was read, a piece a line, in a file without a name:
// it is gone with the process, however that ends.
type spool struct {
	f    *os.File
	w    *bufio.Writer
	size int64
}

func newSpool() (*spool, error) {
	f, err := os.CreateTemp("", "rollcall-copy-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &spool{f: f, w: bufio.NewWriterSize(f, 64<<10)}, nil
}

func (s *spool) put(line []byte) error {
	s.size += int64(len(line)) + 1
	if _, err := s.w.Write(line); err != nil {
		return err
	}
	return s.w.WriteByte('\n')
}

// cut forgets what is behind an offset.
func (s *spool) cut(offset int64) error {
	if err := s.w.Flush(); err != nil {
		return err
	}
	if err := s.f.Truncate(offset); err != nil {
		return err
	}
	s.size = offset
	_, err := s.f.Seek(offset, io.SeekStart)
	return err
}

// each calls f with each line from an offset on, until f wants no more. A line
// is good until f returns.
func (s *spool) each(offset int64, f func(line []byte) (more bool, err error)) error {
	if err := s.w.Flush(); err != nil {
		return err
	}
	r := bufio.NewReaderSize(io.NewSectionReader(s.f, offset, s.size-offset), 64<<10)
	var long []byte
	for {
		part, err := r.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			long = append(long, part...)
			continue
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		line := part
		if len(long) > 0 {
			long = append(long, part...)
			line = long
		}
		more, err := f(line[:len(line)-1])
		if err != nil || !more {
			return err
		}
		long = long[:0]
	}
}

func (s *spool) close() error { return s.f.Close() }
