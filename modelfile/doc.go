// Package modelfile reads, checks and writes Modelfiles, the text from which
// Ollama makes a model.
//
// The syntax is that of Ollama's parser (version 0.24), quirks included, because
// a file that means one thing here and another there is worse than one that is
// refused:
//
//	# a comment, where an instruction could begin
//	FROM ./model.gguf
//	PARAMETER stop "<|im_end|>"
//	TEMPLATE """{{ .Prompt }}
//	{{ .Response }}"""
//	MESSAGE user What is a quine?
//
// Keywords may be written in any case, and have letters alone. One space or tab
// ends a keyword, the name of a parameter and the role of a message. A value
// goes on to the end of its line, is trimmed, and may hold # and quotes anywhere
// but at its start. A value that starts with " or """ ends with the same at the
// end of a line, however many lines later; there are no escapes, so that
//
//	SYSTEM "He said "no"
//	and left"
//
// ends on the first line. A file is UTF-8, or UTF-8 or UTF-16 behind a byte order
// mark. Characters that are neither printable nor a space, tab or line break are
// left out of values, as Ollama leaves them out; Check tells where.
package modelfile
