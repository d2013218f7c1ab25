package rollcall_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// cited lists the packages whose exported functions name the section they
// carry out.
var cited = []string{"scim/schema", "scim/filter", "scim/patch", "scim/engine"}

// TestConventions holds every Go file to the habits that a reader relies on:
// its length, its name, documentation of what is exported, and no code that
// runs by being imported.
func TestConventions(t *testing.T) {
	const longest = 600
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (d.Name() == "testdata" || path == "data" || path == "dist" || strings.ContainsAny(d.Name()[:1], "._")):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		if slices.Contains([]string{"helpers.go", "types.go", "misc.go", "util.go", "utils.go"}, d.Name()) {
			t.Errorf("%s: a file is named by the noun or verb it holds", path)
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if n := bytes.Count(src, []byte("\n")); n > longest {
			t.Errorf("%s has %d lines, more than %d", path, n, longest)
		}
		if strings.HasSuffix(path, "_test.go") {
			return nil
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(filepath.Dir(path))
		for _, decl := range f.Decls {
			for _, complaint := range undocumented(decl, slices.Contains(cited, pkg)) {
				t.Errorf("%s: %s", fset.Position(decl.Pos()), complaint)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDecisions demands a decision record for each module that go.mod requires
// directly.
func TestDecisions(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("docs/decisions/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("no decision records: %v", err)
	}
	var records []byte
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, text...)
	}
	for line := range strings.Lines(string(mod)) {
		f := strings.Fields(line)
		if len(f) < 2 || !strings.HasPrefix(f[1], "v") || strings.Contains(line, "// indirect") {
			continue
		}
		if !bytes.Contains(records, []byte("`"+f[0])) {
			t.Errorf("no record in docs/decisions says why %s", f[0])
		}
	}
}

// undocumented returns what is wrong with the documentation of a declaration.
func undocumented(decl ast.Decl, cite bool) (complaints []string) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		switch {
		case d.Recv == nil && d.Name.Name == "init":
			complaints = append(complaints, "init runs by being imported")
		case !d.Name.IsExported() || d.Recv != nil && !ast.IsExported(receiver(d)):
		case d.Doc == nil:
			complaints = append(complaints, d.Name.Name+" has no doc comment")
		case cite && d.Recv == nil && !strings.Contains(d.Doc.Text(), "§"):
			complaints = append(complaints, d.Name.Name+" cites no section in its doc comment")
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
					complaints = append(complaints, s.Name.Name+" has no doc comment")
				}
			case *ast.ValueSpec:
				exported := slices.IndexFunc(s.Names, (*ast.Ident).IsExported)
				if exported >= 0 && d.Doc == nil && s.Doc == nil && s.Comment == nil {
					complaints = append(complaints, s.Names[exported].Name+" has no doc comment")
				}
			}
		}
	}
	return complaints
}

// receiver returns the name of a method's type.
func receiver(d *ast.FuncDecl) string {
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if index, ok := typ.(*ast.IndexExpr); ok {
		typ = index.X
	}
	if id, ok := typ.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}
