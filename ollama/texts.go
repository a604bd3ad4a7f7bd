package ollama

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/ollama/ollama/template"
)

// A Message is a part of the conversation that a model begins with.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// encodeParams writes the content of a params layer. Ollama's client sends the
// parameters to its server as JSON, which makes float64 of all numbers; the same
// is done here, so that large numbers become the same text.
func encodeParams(params map[string]any) ([]byte, error) {
	data, err := json.Marshal(params)
	if err != nil {
		return nil, err
	}
	var sent map[string]any
	if err := json.Unmarshal(data, &sent); err != nil {
		return nil, err
	}
	return encodeJSON(sent)
}

// decodeParams reads a params layer; numbers are json.Number.
func decodeParams(data []byte) (map[string]any, error) {
	var params map[string]any
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	err := dec.Decode(&params)
	return params, err
}

// CheckTemplate finds out whether Ollama would take text for a template.
func CheckTemplate(text string) error {
	if _, err := template.Parse(text); err != nil {
		return fmt.Errorf("the template: %w", err)
	}
	return nil
}

// A DetectedTemplate is a template of Ollama's own, which stands for a chat
// template that is close to one it knows.
type DetectedTemplate struct {
	Name   string
	Text   []byte
	Params []byte // of a params layer, or nil
}

// DetectTemplate returns the template that Ollama takes for a model with a chat
// template when its Modelfile has none, or nil.
func DetectTemplate(chatTemplate string) (*DetectedTemplate, error) {
	// Ollama compares with all that it knows, in time that grows with the product
	// of the lengths; what is much longer than all of them is none of them.
	const longest = 8192 // the longest of version 0.24 has 4,614 characters, and less than 100 may differ
	if chatTemplate == "" || len(chatTemplate) > longest {
		return nil, nil
	}
	t, err := template.Named(chatTemplate)
	if err != nil {
		return nil, nil // it says nothing but that there is none
	}
	d := &DetectedTemplate{Name: t.Name, Text: t.Bytes}
	if t.Parameters != nil {
		if d.Params, err = encodeJSON(t.Parameters); err != nil {
			return nil, err
		}
	}
	return d, nil
}
