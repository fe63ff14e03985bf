console.log("1")
