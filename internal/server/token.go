package server

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// tokensOf returns the tokens of a file, one a line. If there is no such file
// it makes one that holds a random token, for its owner alone to read.
func tokensOf(path string, log *slog.Logger) ([]string, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newTokenFile(path, log)
	}
	if err != nil {
		return nil, fmt.Errorf("can't read the token file %s: %w", printable(path), bare(err))
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
		log.Warn("the token file can be read by others: chmod 600 it", "file", path)
	}
	tokens := strings.Fields(string(text))
	if len(tokens) == 0 {
		return nil, fmt.Errorf("the token file %s holds no token; remove it to have one made", printable(path))
	}
	if !sendable(tokens) {
		return nil, fmt.Errorf("the token file %s holds a token that is too long or not printable ASCII", printable(path))
	}
	return tokens, nil
}

func newTokenFile(path string, log *slog.Logger) ([]string, error) {
	token := "rollcall_" + rand.Text()
	fail := func(err error) ([]string, error) {
		return nil, fmt.Errorf("can't make the token file %s: %w", printable(path), bare(err))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fail(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fail(err)
	}
	_, err = f.WriteString(token + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = os.Remove(path)
		return fail(err)
	}
	log.Info("made a random bearer token", "file", path)
	return []string{token}, nil
}
