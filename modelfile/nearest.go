package modelfile

import (
	"fmt"
	"slices"
	"strings"
)

// didYouMean suggests the choice that looks most like word, or lists all where
// none does.
func didYouMean(word string, choices []string) string {
	if near := nearest(word, choices); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return "choose one of " + strings.Join(choices, ", ")
}

// nearest returns the choice with the fewest edits from word, without regard to
// case, or "" when all are too far off to have been meant.
func nearest(word string, choices []string) string {
	const longest = 64 // no choice is as long, and edits take the product of the lengths
	if len(word) > longest {
		return ""
	}
	best, least := "", max(1, len(word)/3)+1
	for _, c := range choices {
		if d := edits(strings.ToLower(word), strings.ToLower(c)); d < least {
			best, least = c, d
		}
	}
	return best
}

// edits is the number of insertions, removals, replacements and swaps of
// neighbours that make b of a (optimal string alignment).
func edits(a, b string) int {
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, above, row = above, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = slices.Min([]int{above[j] + 1, row[j-1] + 1, above[j-1] + change})
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
