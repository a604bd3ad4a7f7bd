// Package report writes what package bench measures as a page of HTML that can be
// passed on: one file with its style and its charts inside, which asks for nothing
// from anywhere, runs no scripts, can be printed, and is light or dark as its reader
// likes it. Beside each chart is a table with its numbers.
//
// Speed and Fidelity make pages of results; others are put together of the same
// parts. Charts are SVG drawn by chartdraw, the numeric part of go-analyze/charts.
// Their colours are classes, which the style of the page fills in.
//
// The same page has the same bytes every time.
package report
