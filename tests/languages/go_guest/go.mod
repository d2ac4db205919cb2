module go_guest

go 1.19
