package server_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

const manifests = "../../deploy/kubernetes/"

// manifest is what the tests look at of an object in a manifest.
type manifest struct {
	Kind     string
	Metadata struct {
		Name   string
		Labels map[string]string
	}
	Data, StringData map[string]string
	Spec             struct {
		Replicas int
		Selector any
		Template struct {
			Metadata struct{ Labels map[string]string }
			Spec     pod
		}
		Ports                []struct{ TargetPort string }
		PodSelector          struct{ MatchLabels map[string]string }
		Ingress              []struct{ Ports []struct{ Port any } }
		ServiceName          string
		VolumeClaimTemplates []manifest
	}
}

type pod struct {
	TerminationGracePeriodSeconds int
	AutomountServiceAccountToken  *bool
	ServiceAccountName            string
	SecurityContext               struct {
		RunAsNonRoot       bool
		RunAsUser, FSGroup int
		SeccompProfile     struct{ Type string }
	}
	Containers []struct {
		Image string
		Ports []struct {
			Name          string
			ContainerPort int
		}
		EnvFrom         []struct{ ConfigMapRef, SecretRef struct{ Name string } }
		Env             []struct{ Name, Value string }
		SecurityContext struct {
			AllowPrivilegeEscalation *bool
			ReadOnlyRootFilesystem   bool
			Capabilities             struct{ Drop []string }
		}
		Resources                     struct{ Requests, Limits map[string]string }
		LivenessProbe, ReadinessProbe struct {
			HTTPGet          struct{ Path, Port string }
			PeriodSeconds    int
			FailureThreshold int
		}
		VolumeMounts []struct{ Name, MountPath string }
	}
}

// kinds returns the schemas of Kubernetes' own OpenAPI document, by kind.
func kinds(t *testing.T) map[string]*jsonschema.Schema {
	t.Helper()
	file, err := os.Open("../../testdata/kubernetes/schema.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	doc, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("kubernetes.json", doc); err != nil {
		t.Fatal(err)
	}
	all := map[string]*jsonschema.Schema{}
	for kind, ref := range doc.(map[string]any)["kinds"].(map[string]any) {
		if all[kind], err = c.Compile("kubernetes.json" + ref.(string)); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// objects reads the objects of a manifest and checks each against its schema.
func objects(t *testing.T, file string) map[string]manifest {
	t.Helper()
	text, err := os.ReadFile(manifests + file)
	if err != nil {
		t.Fatal(err)
	}
	schemas, all := kinds(t), map[string]manifest{}
	for part := range strings.SplitSeq(string(text), "\n---\n") {
		if err := valid(schemas, part); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		asJSON, err := yaml.YAMLToJSON([]byte(part))
		if err != nil {
			t.Fatal(err)
		}
		var m manifest
		if err := json.Unmarshal(asJSON, &m); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if _, twice := all[m.Kind]; twice || m.Metadata.Name != "rollcall" || m.Metadata.Labels["app.kubernetes.io/name"] != "rollcall" {
			t.Errorf("%s: %s %q, labels %v", file, m.Kind, m.Metadata.Name, m.Metadata.Labels)
		}
		all[m.Kind] = m
	}
	return all
}

// valid checks an object against the schema of its kind.
func valid(schemas map[string]*jsonschema.Schema, text string) error {
	asJSON, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(asJSON)))
	if err != nil {
		return err
	}
	object, _ := v.(map[string]any)
	kind, _ := object["kind"].(string)
	if schemas[kind] == nil {
		return fmt.Errorf("no schema for kind %q", kind)
	}
	return schemas[kind].Validate(v)
}

// TestKubernetes: the manifests are what Kubernetes expects, start what the
// program understands, and let it end in peace.
func TestKubernetes(t *testing.T) {
	t.Parallel()
	secret := objects(t, "secret.example.yaml")["Secret"]
	for file, workload := range map[string]string{"rollcall.yaml": "Deployment", "sqlite.yaml": "StatefulSet"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			all := objects(t, file)
			w, p := all[workload], all[workload].Spec.Template.Spec
			if len(p.Containers) != 1 {
				t.Fatalf("%d containers", len(p.Containers))
			}
			c := p.Containers[0]
			environ := []string{"SCIM_DATA_DIR=/app/data", "ROLLCALL_RUN_AS=65532:65532", "SCIM_API_TOKEN=" + testToken} // as in the image, and in the Secret
			if workload == "Deployment" {
				environ = append(environ, "ROLLCALL_DATABASE_URL=postgres://rollcall:secret@db.example.com:5432/rollcall?sslmode=verify-full")
			}
			for name, value := range all["ConfigMap"].Data {
				environ = append(environ, name+"="+value)
			}
			for _, e := range c.Env {
				environ = append(environ, e.Name+"="+e.Value)
			}
			s, warnings, err := settings(t, environ...)
			if err != nil || len(warnings) > 0 {
				t.Fatalf("the settings: %v, %v", warnings, err)
			}
			if len(c.EnvFrom) != 2 || c.EnvFrom[0].ConfigMapRef.Name != all["ConfigMap"].Metadata.Name || c.EnvFrom[1].SecretRef.Name != secret.Metadata.Name {
				t.Errorf("the environment is from %+v", c.EnvFrom)
			}
			// Whoever is told to stop goes on for Drain, and then has 30 seconds.
			grace, probe := time.Duration(p.TerminationGracePeriodSeconds)*time.Second, time.Duration(c.ReadinessProbe.PeriodSeconds*c.ReadinessProbe.FailureThreshold)*time.Second
			if grace < s.Drain+35*time.Second || workload == "Deployment" && s.Drain < 2*probe {
				t.Errorf("grace %v, drain %v, readiness %v", grace, s.Drain, probe)
			}
			if c.LivenessProbe.HTTPGet.Path != "/health/live" || c.ReadinessProbe.HTTPGet.Path != "/health/ready" ||
				c.LivenessProbe.HTTPGet.Port != "scim" || c.ReadinessProbe.HTTPGet.Port != "scim" {
				t.Errorf("probes: %+v, %+v", c.LivenessProbe, c.ReadinessProbe)
			}
			named := map[string]bool{}
			for _, port := range c.Ports {
				named[port.Name] = s.Listen == ":"+strconv.Itoa(port.ContainerPort) || s.MetricsListen == ":"+strconv.Itoa(port.ContainerPort)
			}
			if !named["scim"] || !named["metrics"] || len(named) != 2 || len(all["Service"].Spec.Ports) != 1 || all["Service"].Spec.Ports[0].TargetPort != "scim" {
				t.Errorf("ports: %+v, %+v", c.Ports, all["Service"].Spec.Ports)
			}
			for _, rule := range all["NetworkPolicy"].Spec.Ingress {
				for _, port := range rule.Ports {
					if !named[fmt.Sprint(port.Port)] {
						t.Errorf("the network policy opens %v", port.Port)
					}
				}
			}
			sc := c.SecurityContext
			if !p.SecurityContext.RunAsNonRoot || p.SecurityContext.RunAsUser != 65532 || p.SecurityContext.FSGroup != 65532 || p.SecurityContext.SeccompProfile.Type != "RuntimeDefault" ||
				!sc.ReadOnlyRootFilesystem || sc.AllowPrivilegeEscalation == nil || *sc.AllowPrivilegeEscalation || !slices.Equal(sc.Capabilities.Drop, []string{"ALL"}) ||
				p.AutomountServiceAccountToken == nil || *p.AutomountServiceAccountToken {
				t.Errorf("not as little as it needs: %+v, %+v", p.SecurityContext, sc)
			}
			if c.Resources.Requests["cpu"] == "" || c.Resources.Requests["memory"] == "" || c.Resources.Limits["memory"] == "" {
				t.Errorf("resources: %+v", c.Resources)
			}
			label := "map[app.kubernetes.io/name:rollcall]"
			for kind, m := range all {
				if sel := fmt.Sprint(m.Spec.Selector); m.Spec.Selector != nil && sel != label && sel != "map[matchLabels:"+label+"]" {
					t.Errorf("%s selects %v", kind, sel)
				}
			}
			if fmt.Sprint(w.Spec.Template.Metadata.Labels) != label || fmt.Sprint(all["NetworkPolicy"].Spec.PodSelector.MatchLabels) != label {
				t.Errorf("labels: %v", w.Spec.Template.Metadata.Labels)
			}
			switch workload {
			case "Deployment":
				if s.Database == nil || w.Spec.Replicas != 2 || len(c.VolumeMounts) != 0 || all["PodDisruptionBudget"].Kind == "" || all["ServiceAccount"].Metadata.Name != p.ServiceAccountName {
					t.Errorf("not two instances over PostgreSQL: %d, %+v", w.Spec.Replicas, c.VolumeMounts)
				}
			default:
				if s.Database != nil || w.Spec.Replicas != 1 || w.Spec.ServiceName != all["Service"].Metadata.Name || len(c.VolumeMounts) != 1 ||
					len(w.Spec.VolumeClaimTemplates) != 1 || c.VolumeMounts[0].Name != w.Spec.VolumeClaimTemplates[0].Metadata.Name || !strings.HasPrefix(s.DataDir, c.VolumeMounts[0].MountPath+"/") {
					t.Errorf("not one with SQLite on a volume: %d, %q, %+v", w.Spec.Replicas, s.DataDir, c.VolumeMounts)
				}
			}
		})
	}
	// The example is no credential: with each of its values the start fails.
	if len(secret.StringData) != 2 || secret.Data != nil {
		t.Errorf("the Secret has %v", secret.StringData)
	}
	for name, value := range secret.StringData {
		if _, _, err := settings(t, name+"="+value); err == nil || strings.Contains(err.Error(), value) {
			t.Errorf("%s=%q is taken: %v", name, value, err)
		}
	}
}

// TestKubernetesSchema: the schema finds what is wrong, so that a manifest that
// passes says something.
func TestKubernetesSchema(t *testing.T) {
	t.Parallel()
	schemas := kinds(t)
	text, err := os.ReadFile(manifests + "rollcall.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var deployment string
	for part := range strings.SplitSeq(string(text), "\n---\n") {
		if strings.Contains(part, "kind: Deployment") {
			deployment = part
		}
	}
	if err := valid(schemas, deployment); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{
		"replicas: 2":               "replicas: two",
		"terminationGracePeriod":    "terminationGrace",
		"  selector:":               "  selectors:",
		"apiVersion: apps/v1":       "apiVersion: apps/v2",
		"readOnlyRootFilesystem: t": "readOnlyRootFileSystem: t",
		"- name: scim\n":            "- title: scim\n",
	} {
		if !strings.Contains(deployment, from) {
			t.Fatalf("there is no %q", from)
		}
		if err := valid(schemas, strings.Replace(deployment, from, to, 1)); err == nil {
			t.Errorf("%q instead of %q is not found", to, from)
		}
	}
}
