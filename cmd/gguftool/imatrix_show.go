package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/imatrix"
	"github.com/gguftool/gguftool/internal/atomicfile"
	"github.com/gguftool/gguftool/internal/texttable"
)

type imatrixShowOptions struct {
	sort    string
	reverse bool
	json    bool

	heatMap string
	figure  string
	columns bool
	force   bool
}

func newImatrixShow(set *settings) *cobra.Command {
	var o imatrixShowOptions
	cmd := &cobra.Command{
		Use:   "show FILE",
		Short: "Describe an importance file",
		Long: `Show prints what an importance file holds, GGUF or .dat: for each tensor the sum,
mean, standard deviation, smallest and largest of its columns' mean squares, the
share of active columns (above 1e-5), the entropy of their shares in the sum, also
as a part of the largest possible, the share of columns more than a standard
deviation above the mean (z > 1), the cosine with the same tensor of the layer
before, and how many matrices saw tokens, which is more than one of one for
experts. Below are the means of each layer, every tensor weighted by its columns.
The figures are those of llama-imatrix --show-statistics.

--heatmap draws a picture of one figure, a row for each part of a layer and a
column for each layer; or with --columns of the mean squares themselves, a row for
each tensor.

Names to sort by and to draw: ` + figureNames() + `;
to sort by also name and layer.`,
		Example: `  gguftool imatrix show imatrix.gguf
  gguftool imatrix show imatrix.gguf --sort max
  gguftool imatrix show imatrix.gguf --heatmap entropy.png --figure normalized_entropy
  gguftool imatrix show imatrix.gguf --heatmap columns.svg --columns`,
		Args: exactly(1, "an importance file"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.execute(cmd, set, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.sort, "sort", "layer", "`NAME` to sort tensors by: figures from the largest down, names and layers up")
	f.BoolVar(&o.reverse, "reverse", false, "sort the other way round")
	f.BoolVar(&o.json, "json", false, "print JSON")
	f.StringVar(&o.heatMap, "heatmap", "", "also draw a picture into `FILE`, .png or .svg")
	f.StringVar(&o.figure, "figure", "mean", "`NAME` of the figure to draw")
	f.BoolVar(&o.columns, "columns", false, "draw the mean square of every column instead of a figure")
	f.BoolVar(&o.force, "force", false, "replace an existing picture")
	return cmd
}

func figureNames() string {
	var names []string
	for _, f := range imatrix.Figures() {
		names = append(names, f.Name)
	}
	return strings.Join(names, " ")
}

func (o *imatrixShowOptions) execute(cmd *cobra.Command, set *settings, path string) error {
	figure, known := imatrix.FigureByName(o.figure)
	compare, sorted := tensorOrder(o.sort)
	drawing := cmd.Flags().Changed("figure") || o.columns || o.force
	switch ext := filepath.Ext(o.heatMap); {
	case !sorted:
		return usagef("--sort %s is no name; choose one of name layer %s", o.sort, figureNames())
	case !known:
		return usagef("--figure %s is no name; choose one of %s", o.figure, figureNames())
	case o.heatMap == "" && drawing:
		return usagef("--figure, --columns and --force are for --heatmap, which is missing")
	case o.columns && cmd.Flags().Changed("figure"):
		return usagef("--columns draws mean squares; --figure cannot be used with it")
	case o.heatMap != "" && ext != ".png" && ext != ".svg":
		return usagef("--heatmap %s ends neither in .png nor in .svg", o.heatMap)
	}
	f, err := imatrix.Read(path)
	if err != nil {
		return err
	}
	stats, err := f.Statistics()
	if err != nil {
		return err
	}
	if o.heatMap != "" {
		if err := o.draw(f, stats, figure, path); err != nil {
			return err
		}
		if !set.quiet {
			fmt.Fprintf(cmd.ErrOrStderr(), "wrote %s\n", o.heatMap)
		}
	}
	slices.SortStableFunc(stats.Tensors, compare)
	if o.reverse {
		slices.Reverse(stats.Tensors)
	}
	if o.json {
		return writeStatisticsJSON(cmd.OutOrStdout(), path, f, stats)
	}
	return writeStatistics(cmd.OutOrStdout(), path, f, stats)
}

// draw writes the picture.
func (o *imatrixShowOptions) draw(f *imatrix.File, stats *imatrix.Statistics, figure imatrix.Figure, path string) error {
	heatMap, err := stats.LayerMap(figure)
	if o.columns {
		heatMap, err = f.ColumnMap(stats)
	}
	if err != nil {
		return err
	}
	heatMap.Title = filepath.Base(path) + ": " + heatMap.Title
	if err := atomicfile.RefuseInputs([]string{o.heatMap}, []string{path}); err != nil {
		return err
	}
	out, err := atomicfile.Create(o.heatMap, o.force)
	if err != nil {
		return err
	}
	defer out.Abort()
	if filepath.Ext(o.heatMap) == ".svg" {
		err = heatMap.WriteSVG(out)
	} else {
		err = heatMap.WritePNG(out)
	}
	if err != nil {
		return err
	}
	return out.Commit(o.force)
}

// tensorOrder returns how to sort by name.
func tensorOrder(name string) (compare func(a, b imatrix.TensorStatistics) int, ok bool) {
	switch name {
	case "layer": // as they are
		return func(a, b imatrix.TensorStatistics) int { return 0 }, true
	case "name":
		return func(a, b imatrix.TensorStatistics) int {
			return cmp.Or(strings.Compare(a.Part, b.Part), cmp.Compare(a.Layer, b.Layer), strings.Compare(a.Name, b.Name))
		}, true
	}
	figure, ok := imatrix.FigureByName(name)
	return func(a, b imatrix.TensorStatistics) int {
		return cmp.Compare(figure.Of(&b), figure.Of(&a)) // cmp.Compare orders NaN too
	}, ok
}

func writeStatistics(w io.Writer, path string, f *imatrix.File, stats *imatrix.Statistics) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d tensors, ", texttable.Safe(path), len(stats.Tensors))
	switch {
	case f.Weighing == imatrix.ByVectors:
		fmt.Fprintf(&b, "%d texts weighed by vectors", f.Chunks)
	case f.ChunkSize > 0:
		fmt.Fprintf(&b, "%d chunks of %d tokens", f.Chunks, f.ChunkSize)
	default:
		fmt.Fprintf(&b, "%d chunks", f.Chunks)
	}
	var datasets []string
	for _, d := range f.Datasets {
		datasets = append(datasets, texttable.Safe(d))
	}
	if len(datasets) > 0 {
		fmt.Fprintf(&b, " of %s", strings.Join(datasets, ", "))
	}
	b.WriteString("\n")

	hasExperts := slices.ContainsFunc(stats.Tensors, func(t imatrix.TensorStatistics) bool { return t.Matrices > 1 || t.Covered < t.Matrices })
	head := []string{"layer>", "tensor", "sum>", "mean>", "deviation>", "min>", "max>", "active>", "columns>", "entropy>", "of most>", "z > 1>", "similarity>"}
	if hasExperts {
		head = append(head, "matrices>")
	}
	table := texttable.New(head...)
	for _, t := range stats.Tensors {
		layer, similarity := "-", "-"
		if t.Layer >= 0 {
			layer = strconv.Itoa(t.Layer)
		}
		if t.Compared {
			similarity = fmt.Sprintf("%.4f", t.Similarity)
		}
		row := []string{
			layer, texttable.Safe(t.Part), decimals(t.Sum, 2), decimals(t.Mean, 2), decimals(t.Deviation, 2), decimals(t.Min, 4), decimals(t.Max, 4),
			percent(t.Active), strconv.Itoa(t.Elements), decimals(t.Entropy, 4), percent(t.NormalizedEntropy), percent(t.Outliers), similarity,
		}
		if hasExperts {
			row = append(row, fmt.Sprintf("%d of %d", t.Covered, t.Matrices))
		}
		table.Row(row...)
	}
	if err := table.Write(&b, "Tensors"); err != nil {
		return err
	}
	if len(stats.Layers) > 0 {
		layers := texttable.New("layer>", "tensors>", "sum>", "z > 1>", "similarity>")
		for _, l := range stats.Layers {
			layers.Row(strconv.Itoa(l.Layer), strconv.Itoa(l.Tensors), decimals(l.Sum, 2), percent(l.Outliers), decimals(l.Similarity, 4))
		}
		if err := layers.Write(&b, "Layers, means weighted by columns"); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// decimals returns x with so many decimals, or with as many digits where it is
// too small for them.
func decimals(x float64, n int) string {
	if x != 0 && math.Abs(x) < math.Pow10(-n) {
		return strconv.FormatFloat(x, 'e', n-1, 64)
	}
	return strconv.FormatFloat(x, 'f', n, 64)
}

// A statisticsReport is what an importance file holds.
type statisticsReport struct {
	Path      string                `json:"path"`
	Datasets  []string              `json:"datasets"`
	Chunks    int                   `json:"chunks"`
	ChunkSize int                   `json:"chunk_size,omitempty"`
	Weighing  string                `json:"weighing"`
	Tensors   []tensorStatistics    `json:"tensors"`
	Layers    []layerStatisticsJSON `json:"layers"`
}

type tensorStatistics struct {
	Name              string   `json:"name"`
	Layer             *int     `json:"layer,omitempty"`
	Part              string   `json:"part"`
	Columns           int      `json:"columns"`
	Matrices          int      `json:"matrices"`
	Covered           int      `json:"covered"`
	Rows              int64    `json:"rows"`
	Elements          int      `json:"elements"`
	Sum               float64  `json:"sum"`
	Mean              float64  `json:"mean"`
	Deviation         float64  `json:"deviation"`
	Min               float64  `json:"min"`
	Max               float64  `json:"max"`
	Active            float64  `json:"active"`
	Entropy           float64  `json:"entropy"`
	NormalizedEntropy float64  `json:"normalized_entropy"`
	Outliers          float64  `json:"outliers"`
	Similarity        *float64 `json:"similarity,omitempty"`
}

type layerStatisticsJSON struct {
	Layer      int     `json:"layer"`
	Tensors    int     `json:"tensors"`
	Elements   int     `json:"elements"`
	Sum        float64 `json:"sum"`
	Outliers   float64 `json:"outliers"`
	Similarity float64 `json:"similarity"`
}

func writeStatisticsJSON(w io.Writer, path string, f *imatrix.File, stats *imatrix.Statistics) error {
	r := statisticsReport{Path: path, Datasets: f.Datasets, Chunks: f.Chunks, ChunkSize: f.ChunkSize, Weighing: f.Weighing.String(),
		Tensors: []tensorStatistics{}, Layers: []layerStatisticsJSON{}}
	if r.Datasets == nil {
		r.Datasets = []string{}
	}
	for _, t := range stats.Tensors {
		row := tensorStatistics{
			Name: t.Name, Part: t.Part, Columns: t.Columns, Matrices: t.Matrices, Covered: t.Covered, Rows: t.Rows, Elements: t.Elements,
			Sum: t.Sum, Mean: t.Mean, Deviation: t.Deviation, Min: t.Min, Max: t.Max,
			Active: t.Active, Entropy: t.Entropy, NormalizedEntropy: t.NormalizedEntropy, Outliers: t.Outliers,
		}
		if t.Layer >= 0 {
			row.Layer = &t.Layer
		}
		if t.Compared {
			row.Similarity = &t.Similarity
		}
		r.Tensors = append(r.Tensors, row)
	}
	for _, l := range stats.Layers {
		r.Layers = append(r.Layers, layerStatisticsJSON(l))
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}
