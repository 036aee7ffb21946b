// A grpc-gateway in front of the server at the address that it is given; says its own port on one
// line of its output. build_proxy puts the name of the service in.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/grpc-ecosystem/grpc-gateway/runtime"
	"google.golang.org/grpc"

	gateway "gateway"
)

func main() {
	// What is the default since version 2.
	json := &runtime.JSONPb{OrigName: false, EmitDefaults: true}
	mux := runtime.NewServeMux(runtime.WithMarshalerOption(runtime.MIMEWildcard, json))
	err := gateway.RegisterSERVICEHandlerFromEndpoint(context.Background(), mux, os.Args[1],
		[]grpc.DialOption{grpc.WithInsecure()})
	if err != nil {
		panic(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	panic(http.Serve(listener, mux))
}
