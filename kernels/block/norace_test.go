//go:build !race

package block

const raceDetector = false
