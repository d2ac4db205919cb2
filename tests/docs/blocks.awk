# awk -v dir=DIR -v name=NAME -f blocks.awk PAGE.md: each fenced block of PAGE as DIR/NAME-LINE.LANGUAGE, LINE that of its fence.
/^```/ {
  if (file != "") { close(file); file = "" }
  else if (in_plain) in_plain = 0
  else if ($0 == "```") in_plain = 1
  else { file = dir "/" name "-" FNR "." substr($0, 4); printf "" > file }
  next
}
file != "" { print > file }
