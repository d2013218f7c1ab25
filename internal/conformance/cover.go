package conformance

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
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
// cover: fixtures in their covers line, Go tests by naming requirements in
// their doc comment, or in the comment behind their opening brace.
func Cover(repo fs.FS) ([]Proof, error) {
	var all []Proof
	err := fs.WalkDir(repo, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (name == "data" || name == "dist" || strings.HasPrefix(d.Name(), ".")):
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
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var all []Proof
	for _, decl := range file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Recv != nil || fn.Body == nil || !strings.HasPrefix(fn.Name.Name, "Test") {
			continue
		}
		text := fn.Doc.Text()
		for _, c := range file.Comments {
			if fset.Position(c.Pos()).Line == fset.Position(fn.Body.Lbrace).Line && c.Pos() > fn.Body.Lbrace {
				text += c.Text()
			}
		}
		if ids := mentioned(text); len(ids) > 0 {
			all = append(all, Proof{Package: path.Dir(name), Test: fn.Name.Name, Covers: ids})
		}
	}
	return all, nil
}

var mentionRE = regexp.MustCompile(`\b([A-Z]{2,4})-\d{3}\b`)

// mentioned returns the requirement ids in a comment.
func mentioned(text string) (ids []string) {
	for _, m := range mentionRE.FindAllStringSubmatch(text, -1) {
		if titles[m[1]] != "" {
			ids = append(ids, m[0])
		}
	}
	return ids
}
