package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"strings"
	"unicode"
)

// Levels beyond those of slog, as the replaced images name them.
const (
	levelTrace = slog.Level(-8)
	levelFatal = slog.Level(12)
	levelOff   = slog.Level(math.MaxInt)
)

var levelNames = map[string]slog.Level{"TRACE": levelTrace, "DEBUG": slog.LevelDebug, "INFO": slog.LevelInfo,
	"WARN": slog.LevelWarn, "WARNING": slog.LevelWarn, "ERROR": slog.LevelError, "FATAL": levelFatal, "OFF": levelOff}

func logLevel(name string) (slog.Level, bool) {
	level, ok := levelNames[strings.ToUpper(strings.TrimSpace(name))]
	return level, ok
}

// newLogger returns the program's logger: lines of text for people, JSON for
// machines. Control characters in values are escaped in both.
func newLogger(w io.Writer, s Settings) *slog.Logger {
	format := s.LogFormat
	if format == "" {
		format = "json"
		if f, ok := w.(*os.File); ok && isTerminal(f) {
			format = "text"
		}
	}
	o := &slog.HandlerOptions{Level: s.LogLevel, ReplaceAttr: replace}
	if format == "text" {
		return slog.New(slog.NewTextHandler(w, o))
	}
	return slog.New(slog.NewJSONHandler(w, o))
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// replace names our levels and escapes what a terminal or a log viewer would
// act on: control characters and those that change the direction of text.
func replace(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value.Any().(type) {
	case slog.Level:
		switch v {
		case levelTrace:
			a.Value = slog.StringValue("TRACE")
		case levelFatal:
			a.Value = slog.StringValue("FATAL")
		}
	case string:
		a.Value = slog.StringValue(visible(v))
	case error:
		a.Value = slog.StringValue(visible(v.Error()))
	}
	return a
}

func visible(s string) string {
	if !strings.ContainsFunc(s, hidden) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if hidden(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func hidden(r rune) bool { return r != ' ' && !unicode.IsPrint(r) }

// fatal logs why the program can't start or go on.
func fatal(log *slog.Logger, err error) {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		log.Log(context.Background(), levelFatal, line)
	}
}
