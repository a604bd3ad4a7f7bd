// Package chattemplate turns the chat template that a model brings, written in
// Jinja, into one that Ollama runs, written for text/template.
//
// It does not read the template: it runs it. What stands between the messages of
// a few short conversations is all that a chat template adds, and in nearly all
// of them it depends on nothing but the roles of the messages at its two sides.
// From six such texts a template for Ollama is made,
//
//	conversation          what is learned
//	user                  start→user, user→answer
//	system, user          start→system, system→user
//	user, assistant, user user→assistant, assistant→user
//
// and both templates are then run on other conversations, longer, with several
// lines, with and without a system message. Only when every prompt is the same to
// the byte is the model's template taken to be recognized. A template that does
// more, such as one that writes the date, is an *UnknownError that says what was
// found.
//
// The start of a prompt may differ by the BOS token when the tokenizer adds that
// itself. Tools, images and thinking are not part of what is compared, nor of the
// template that is made.
package chattemplate
