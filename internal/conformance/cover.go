package conformance

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Proof is a fixture or a test that covers requirements.
type Proof struct {
	Fixture string // "rfc7644/3.3-create", or ""
	Package string // of a Go test: its folder, "scim/patch"
	Test    string // "TestApply"
	Covers  []string
}

// Name returns how the report calls the proof.
func (p Proof) Name() string {
	if p.Fixture != "" {
		return p.Fixture
	}
	return p.Package + "." + p.Test
}

// Cover lists the fixtures and tests of a repository that say what they
// cover: fixtures in their covers line, Go tests in a line of their doc
// comment that begins with "covers:".
func Cover(repo fs.FS) ([]Proof, error) {
	var all []Proof
	err := fs.WalkDir(repo, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir():
			return nil
		case strings.HasSuffix(name, ".txtar") && strings.HasPrefix(name, "testdata/rfc"):
			p, err := fixtureProof(repo, name)
			all = append(all, p)
			return err
		case strings.HasSuffix(name, "_test.go"):
			found, err := testProofs(repo, name)
			all = append(all, found...)
			return err
		}
		return nil
	})
	return all, err
}

func fixtureProof(repo fs.FS, name string) (Proof, error) {
	data, err := fs.ReadFile(repo, name)
	if err != nil {
		return Proof{}, err
	}
	f, err := Parse(data)
	if err != nil {
		return Proof{}, fmt.Errorf("%s: %w", name, err)
	}
	return Proof{Fixture: strings.TrimSuffix(strings.TrimPrefix(name, "testdata/"), ".txtar"), Covers: f.Covers}, nil
}

func testProofs(repo fs.FS, name string) ([]Proof, error) {
	src, err := fs.ReadFile(repo, name)
	if err != nil {
		return nil, err
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var all []Proof
	for _, decl := range file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Doc == nil || fn.Recv != nil {
			continue
		}
		p := Proof{Package: path.Dir(name), Test: fn.Name.Name}
		for line := range strings.Lines(fn.Doc.Text()) {
			if ids, ok := strings.CutPrefix(strings.TrimSpace(line), "covers:"); ok {
				p.Covers = append(p.Covers, strings.Fields(ids)...)
			}
		}
		if i := slices.IndexFunc(p.Covers, func(id string) bool { return !idRE.MatchString(id) }); i >= 0 {
			return nil, fmt.Errorf("%s: %s covers %q, which is no requirement id", name, p.Test, p.Covers[i])
		}
		if len(p.Covers) > 0 {
			all = append(all, p)
		}
	}
	return all, nil
}
