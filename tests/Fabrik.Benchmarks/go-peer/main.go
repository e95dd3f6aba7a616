// The smallest webhook one would write in Go: net/http and encoding/json, typed structs, labels, an annotation and
// resources as a JSON Patch. It decides nothing; it is what the real webhook's speed is measured against.
package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
)

type Review struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Request    *Request  `json:"request,omitempty"`
	Response   *Response `json:"response,omitempty"`
}

type GroupVersionKind struct {
	Group   string `json:"group"`
	Version string `json:"version"`
	Kind    string `json:"kind"`
}

type Request struct {
	UID       string           `json:"uid"`
	Kind      GroupVersionKind `json:"kind"`
	Namespace string           `json:"namespace"`
	Operation string           `json:"operation"`
	Object    Job              `json:"object"`
	DryRun    bool             `json:"dryRun"`
}

type Response struct {
	UID       string   `json:"uid"`
	Allowed   bool     `json:"allowed"`
	Patch     []byte   `json:"patch,omitempty"`
	PatchType string   `json:"patchType,omitempty"`
	Warnings  []string `json:"warnings,omitempty"`
}

type Metadata struct {
	Name         string            `json:"name"`
	GenerateName string            `json:"generateName"`
	Namespace    string            `json:"namespace"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
}

type Job struct {
	Metadata Metadata `json:"metadata"`
	Spec     struct {
		Parallelism  *int32 `json:"parallelism"`
		Completions  *int32 `json:"completions"`
		BackoffLimit *int32 `json:"backoffLimit"`
		Suspend      *bool  `json:"suspend"`
		TTL          *int32 `json:"ttlSecondsAfterFinished"`
		Template     struct {
			Metadata Metadata `json:"metadata"`
			Spec     struct {
				InitContainers []Container       `json:"initContainers"`
				Containers     []Container       `json:"containers"`
				RestartPolicy  string            `json:"restartPolicy"`
				NodeSelector   map[string]string `json:"nodeSelector"`
			} `json:"spec"`
		} `json:"template"`
	} `json:"spec"`
}

type Container struct {
	Name    string   `json:"name"`
	Image   string   `json:"image"`
	Command []string `json:"command"`
	Args    []string `json:"args"`
	Env     []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"env"`
	Resources struct {
		Limits   map[string]string `json:"limits"`
		Requests map[string]string `json:"requests"`
	} `json:"resources"`
}

type Operation struct {
	Op    string      `json:"op"`
	Path  string      `json:"path"`
	Value interface{} `json:"value,omitempty"`
}

func mutate(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 3<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	var review Review
	if err := json.Unmarshal(body, &review); err != nil || review.Request == nil {
		http.Error(w, "not an AdmissionReview", http.StatusBadRequest)
		return
	}
	job := &review.Request.Object
	var id [13]byte
	rand.Read(id[:])
	run := hex.EncodeToString(id[:])
	patch := make([]Operation, 0, 8)
	labels := map[string]string{"fabrik.dev/run-id": run, "fabrik.dev/variant": "treatment", "optimizer.dev/experiment": "memory"}
	for k, v := range job.Metadata.Labels {
		labels[k] = v
	}
	annotations := map[string]string{"fabrik.dev/assignment": `{"change":"memory","arm":"treatment","unit":"` + review.Request.UID + `"}`}
	for k, v := range job.Metadata.Annotations {
		annotations[k] = v
	}
	pod := map[string]string{"fabrik.dev/run-id": run, "fabrik.dev/variant": "treatment"}
	for k, v := range job.Spec.Template.Metadata.Labels {
		pod[k] = v
	}
	patch = append(patch,
		Operation{"add", "/metadata/labels", labels},
		Operation{"add", "/metadata/annotations", annotations},
		Operation{"add", "/spec/template/metadata/labels", pod})
	for i := range job.Spec.Template.Spec.Containers {
		resources := job.Spec.Template.Spec.Containers[i].Resources
		limits := map[string]string{"memory": "4Gi"}
		for k, v := range resources.Limits {
			if k != "memory" {
				limits[k] = v
			}
		}
		patch = append(patch, Operation{"add", "/spec/template/spec/containers/" + string(rune('0'+i)) + "/resources",
			map[string]interface{}{"limits": limits, "requests": resources.Requests}})
	}
	operations, err := json.Marshal(patch)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	answer, err := json.Marshal(Review{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview",
		Response: &Response{UID: review.Request.UID, Allowed: true, Patch: operations, PatchType: "JSONPatch"}})
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(answer)
}

func main() {
	// address, certificate, key
	http.HandleFunc("/mutate/jobs", mutate)
	log.Fatal(http.ListenAndServeTLS(os.Args[1], os.Args[2], os.Args[3], nil))
}
