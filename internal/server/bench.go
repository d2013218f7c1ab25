package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/internal/bench"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// runBench carries out "rollcall bench …" and returns the exit code.
func runBench(ctx context.Context, c *bench.Command, name string, environ []string, stdout, stderr io.Writer) int {
	err := c.Do(ctx, name, bench.System{Environ: environ, Stdout: stdout, Stderr: stderr, Open: openToFill})
	if err == nil || name == "yardstick" && ctx.Err() != nil {
		return exitStopped
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintln(stderr, "rollcall:", visible(line))
	}
	return exitFailed
}

// openToFill opens the tenant that a server of the folder or database serves,
// with a cache that suits a great many writes. The folder is locked meanwhile.
func openToFill(ctx context.Context, data, url string) (bench.Store, func() error, error) {
	const cache = 512 << 20
	d := &directory{s: Settings{DataDir: data, HistoryDays: 400, UndeleteDays: 30}, log: slog.Default()}
	if url != "" {
		db, err := postgres.Open(ctx, url, postgres.Options{Load: schema.Load, Encode: schema.Encode, Type: d.typeNamed,
			HistoryDays: d.s.HistoryDays, UndeleteDays: d.s.UndeleteDays, StatementTimeout: 10 * time.Minute})
		if err != nil {
			return nil, nil, errors.New(strings.ReplaceAll(err.Error(), url, "(the URL)"))
		}
		if err := unserved(ctx, db); err != nil {
			return nil, nil, errors.Join(err, db.Close())
		}
		return db.Tenant(tenant.Default), db.Close, nil
	}
	if err := d.claim(); err != nil {
		return nil, nil, err
	}
	db, err := sqlite.Open(ctx, sqlitePath(data), sqlite.Options{Load: schema.Load, Encode: schema.Encode, Type: d.typeNamed,
		HistoryDays: d.s.HistoryDays, UndeleteDays: d.s.UndeleteDays, CacheBytes: cache})
	if err != nil {
		d.lock.release()
		return nil, nil, err
	}
	return db.Tenant(tenant.Default), func() error {
		defer d.lock.release()
		return db.Close()
	}, nil
}

// unserved returns an error if instances serve a database.
func unserved(ctx context.Context, db *postgres.DB) error {
	list, err := db.Instances(ctx)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(i postgres.Instance) bool { return i.Seen > 6*defaultBeat })
	if len(list) > 0 {
		return fmt.Errorf("%d instances of rollcall serve this database: stop them first, or measure them with \"rollcall bench URL\"", len(list))
	}
	return nil
}
