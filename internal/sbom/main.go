// Command sbom lists what a Go program is made of, as CycloneDX 1.6 in JSON: the
// modules that are linked into it, and Go's standard library. It reads them from
// the program itself, so that the list can't be of another one, and says nothing
// that differs between two builds of the same sources.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: sbom PROGRAM")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(path string, out io.Writer) error {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return err
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(list(info, sum.Sum(nil)))
}

// document is a bill of materials.
type document struct {
	Format       string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Ref     string `json:"bom-ref"`
	Type    string `json:"type"`
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Hashes  []hash `json:"hashes,omitempty"`
	PURL    string `json:"purl"`
}

type hash struct {
	Alg     string `json:"alg"`
	Content string `json:"content"`
}

// dependency says what a component needs. The program does not know which module
// needs which, only that it has them all.
type dependency struct {
	Ref string   `json:"ref"`
	On  []string `json:"dependsOn,omitempty"`
}

// list makes the bill of a program with its SHA-256.
func list(info *debug.BuildInfo, sum []byte) document {
	program := module("application", info.Main.Path, info.Main.Version)
	program.Hashes = []hash{{"SHA-256", hex.EncodeToString(sum)}}
	version, _, _ := strings.Cut(strings.TrimPrefix(info.GoVersion, "go"), " ")
	all := []component{module("library", "std", version)}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		c := module("library", m.Path, m.Version)
		// What go.sum has of a module is the SHA-256 of its list of files.
		if text, ok := strings.CutPrefix(m.Sum, "h1:"); ok {
			if digest, err := base64.StdEncoding.DecodeString(text); err == nil {
				c.Hashes = []hash{{"SHA-256", hex.EncodeToString(digest)}}
			}
		}
		all = append(all, c)
	}
	needs := dependency{Ref: program.Ref}
	for _, c := range all {
		needs.On = append(needs.On, c.Ref)
	}
	return document{"CycloneDX", "1.6", 1, metadata{program}, all, []dependency{needs}}
}

// module is a component by its package URL (https://github.com/package-url/purl-spec).
func module(kind, path, version string) component {
	if version == "(devel)" {
		version = ""
	}
	url := "pkg:golang/" + path
	if version != "" {
		url += "@" + strings.ReplaceAll(version, "+", "%2B")
	}
	return component{Ref: url, Type: kind, Name: path, Version: version, PURL: url}
}
