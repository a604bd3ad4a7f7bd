package allocate

import "math"

// A Figure is a mean loss, and how far that of other texts of the same kind would
// lie from it.
type Figure struct {
	Mean  float64
	Error float64 // standard error of the mean; of one text, which tells nothing of it, the mean itself
	Texts int
}

// figure returns the mean of x.
func figure(x Loss) Figure {
	mean, err := x.Mean()
	if len(x) < 2 {
		err = math.Abs(mean)
	}
	return Figure{mean, err, len(x)}
}

// gap returns how much larger the losses a are than b, paired by text, which
// leaves out what both owe to the text.
func gap(a, b Loss) Figure { return figure(a.Minus(b)) }

// chordGap returns how much larger the losses x are than the line between a and b,
// part of the way from a.
func chordGap(x, a, b Loss, part float64) Figure {
	d := make(Loss, len(x))
	for i := range d {
		d[i] = x[i] - a[i] - float64(part*(b[i]-a[i]))
	}
	return figure(d)
}
