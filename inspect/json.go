package inspect

import "encoding/json"

// JSON returns the report as one JSON object, described by
// docs/inspect.schema.json. An array of the metadata is summarised by its length
// and its first elements; with full it is written whole.
func (r *Report) JSON(full bool) ([]byte, error) {
	metadata := make([]any, len(r.Metadata))
	for i, k := range r.Metadata {
		metadata[i] = jsonValue(&k.Name, k.Value, full)
	}
	data, err := json.Marshal(struct {
		*Report
		Metadata []any `json:"metadata"`
	}{r, metadata})
	return escapeJSON(data), err
}
